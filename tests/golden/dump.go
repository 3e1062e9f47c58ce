// Command dump prints the results of golang.org/x/net/bpf for instructions and programs.
// It reads one JSON request per line and writes one JSON reply per line:
//
//	{"raw": [21, 0, 8, 42]}                          the instruction decoded, printed and assembled again
//	{"type": "TAX", "fields": {}}                    the instruction printed and assembled
//	{"program": [[6, 0, 0, 1]], "packets": ["00ff"]} the verdict of the VM on each packet
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"reflect"

	"golang.org/x/net/bpf"
)

type words [4]uint32 // op, jt, jf, k

type question struct {
	Raw     *words
	Type    string
	Fields  json.RawMessage
	Program []words
	Packets []string
}

type decoded struct {
	Type      string          `json:"type"`
	Fields    bpf.Instruction `json:"fields"`
	Text      *string         `json:"text"`                // null: the type has no String method
	Assembled *words          `json:"assembled,omitempty"` // or Error, never both
	Error     string          `json:"error,omitempty"`
}

type verdicts struct {
	Results []int  `json:"results,omitempty"` // or From and Error, never both
	From    string `json:"from,omitempty"`
	Error   string `json:"error,omitempty"`
}

var types = map[string]reflect.Type{}

func init() {
	for _, instruction := range []bpf.Instruction{
		bpf.LoadConstant{}, bpf.LoadScratch{}, bpf.LoadAbsolute{}, bpf.LoadIndirect{}, bpf.LoadMemShift{},
		bpf.LoadExtension{}, bpf.StoreScratch{}, bpf.ALUOpConstant{}, bpf.ALUOpX{}, bpf.NegateA{}, bpf.Jump{},
		bpf.JumpIf{}, bpf.JumpIfX{}, bpf.RetA{}, bpf.RetConstant{}, bpf.TAX{}, bpf.TXA{},
	} {
		kind := reflect.TypeOf(instruction)
		types[kind.Name()] = kind
	}
}

func main() {
	answers := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var asked question
		must(json.Unmarshal(lines.Bytes(), &asked))
		must(answers.Encode(answer(asked)))
	}
	must(lines.Err())
}

func answer(asked question) interface{} {
	switch {
	case asked.Raw != nil:
		return describe(raw(*asked.Raw).Disassemble())
	case asked.Type != "":
		return describe(typed(asked.Type, asked.Fields))
	default:
		return run(asked.Program, asked.Packets)
	}
}

func raw(w words) bpf.RawInstruction {
	return bpf.RawInstruction{Op: uint16(w[0]), Jt: uint8(w[1]), Jf: uint8(w[2]), K: w[3]}
}

func typed(name string, fields json.RawMessage) bpf.Instruction {
	kind, known := types[name]
	if !known {
		log.Fatalf("no instruction type %q", name)
	}
	value := reflect.New(kind)
	must(json.Unmarshal(fields, value.Interface()))
	return value.Elem().Interface().(bpf.Instruction)
}

func describe(instruction bpf.Instruction) decoded {
	result := decoded{Type: reflect.TypeOf(instruction).Name(), Fields: instruction}
	if printable, ok := instruction.(fmt.Stringer); ok {
		text := printable.String()
		result.Text = &text
	}
	if again, err := instruction.Assemble(); err != nil {
		result.Error = err.Error()
	} else {
		result.Assembled = &words{uint32(again.Op), uint32(again.Jt), uint32(again.Jf), again.K}
	}
	return result
}

func run(program []words, packets []string) verdicts {
	filter := make([]bpf.RawInstruction, len(program))
	for i, w := range program {
		filter[i] = raw(w)
	}
	instructions, _ := bpf.Disassemble(filter)
	vm, err := bpf.NewVM(instructions)
	if err != nil {
		return verdicts{From: "NewVM", Error: err.Error()}
	}
	var answer verdicts
	for _, text := range packets {
		packet, err := hex.DecodeString(text)
		must(err)
		result, err := vm.Run(packet)
		if err != nil {
			return verdicts{From: "Run", Error: err.Error()}
		}
		answer.Results = append(answer.Results, result)
	}
	return answer
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
