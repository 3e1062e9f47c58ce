// Command names lists the exported names of golang.org/x/net/bpf, one per line, with their types and values.
// Fields follow their type in the order of their declaration.
package main

import (
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"log"
)

func main() {
	pkg, err := importer.ForCompiler(token.NewFileSet(), "source", nil).Import("golang.org/x/net/bpf")
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range pkg.Scope().Names() {
		if object := pkg.Scope().Lookup(name); object.Exported() {
			describe(object, types.RelativeTo(pkg))
		}
	}
}

func describe(object types.Object, short types.Qualifier) {
	switch object := object.(type) {
	case *types.Const:
		fmt.Printf("const %s %s = %s\n", object.Name(), types.TypeString(object.Type(), short), object.Val())
	case *types.TypeName:
		fmt.Println("type", object.Name())
		describeMembers(object, short)
	default:
		fmt.Println(types.ObjectString(object, short))
	}
}

func describeMembers(object *types.TypeName, short types.Qualifier) {
	receiver := object.Type()
	if structure, ok := receiver.Underlying().(*types.Struct); ok {
		for i := 0; i < structure.NumFields(); i++ {
			if field := structure.Field(i); field.Exported() {
				fmt.Printf("field %s.%s %s\n", object.Name(), field.Name(), types.TypeString(field.Type(), short))
			}
		}
	}
	if !types.IsInterface(receiver) {
		receiver = types.NewPointer(receiver) // also has the methods of the type itself
	}
	methods := types.NewMethodSet(receiver)
	for i := 0; i < methods.Len(); i++ {
		if method := methods.At(i).Obj(); method.Exported() {
			signature := types.TypeString(method.Type(), short)[len("func"):]
			fmt.Printf("method %s.%s%s\n", object.Name(), method.Name(), signature)
		}
	}
}
