"""Programs for other targets than this process: C, LLVM, eBPF, PTX and WebAssembly."""
