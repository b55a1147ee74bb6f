// lld_shim.cpp - the two things that have no C interface: lld as a library, and one option of the target machine.
//
// Enters: ld.lld's own command line. Leaves: its exit code and its words. lldMain is lld's interface for libraries: it
// resets lld's state after every link, so that the next link of the process starts clean, and says if it cannot.
#include <cstdio>
#include <lld/Common/Driver.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <string>
#include <vector>

#include "codegen/llvm.h"

LLD_HAS_DRIVER(elf)

extern "C" int vyrec_lld(const char *const *args, unsigned count, char *message, size_t message_bytes)
{
	static bool spent = false; // a crash of lld leaves it unfit for another run
	std::string text;
	llvm::raw_string_ostream out(text);
	std::vector<const char *> list(args, args + count);
	if (spent) {
		snprintf(message, message_bytes, "an earlier link crashed; start a new process");
		return 1;
	}
	lld::Result result = lld::lldMain(list, out, out, {{lld::Gnu, &lld::elf::link}});
	spent = !result.canRunAgain;
	snprintf(message, message_bytes, "%s", text.c_str());
	return result.retCode;
}

extern "C" void vyrec_llvm_want_stack_sizes(LLVMTargetMachineRef machine)
{
	reinterpret_cast<llvm::TargetMachine *>(machine)->Options.EmitStackSizeSection = true;
}
