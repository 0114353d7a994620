// Switching between fibers and their order, for `shim.h`: a warp runs until all its threads wait for the block or are done.
#pragma once
#include "shim.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace shim {

Machine machine;

const size_t STACK = 32 << 10;

void fail(const char *what)
{
    std::fprintf(stderr, "CUDA on the processor: %s\n", what);
    std::abort();
}

static void body()
{
    machine.kernel(machine.params);
    yield(Wait::Done);
    fail("a thread that is done goes on");
}

#if defined(__x86_64__)
// By hand, since swapcontext asks the system twice a switch. Saves what the calling convention wants kept.
extern "C" void icpc_shim_switch(void **save, void *load);
asm(R"(
.text
.local icpc_shim_switch
.type icpc_shim_switch, @function
icpc_shim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size icpc_shim_switch, . - icpc_shim_switch
)");

static void start(Fiber &fiber, unsigned char *stack)
{
    // six registers and the address to return to; a function begins 8 bytes off a multiple of 16
    uintptr_t top = ((uintptr_t)stack + STACK) & ~(uintptr_t)15;
    void **words = (void **)(top - 64);
    std::memset(words, 0, 64);
    words[6] = (void *)body;
    fiber.stack_pointer = words;
}

static void resume(Fiber &fiber)
{
    machine.current = &fiber;
    icpc_shim_switch(&machine.scheduler, fiber.stack_pointer);
}

void yield(Wait wait)
{
    machine.current->wait = wait;
    icpc_shim_switch(&machine.current->stack_pointer, machine.scheduler);
}
#else
static std::vector<ucontext_t> contexts;
static ucontext_t scheduler;

static void start(Fiber &fiber, unsigned char *stack)
{
    if (contexts.size() < machine.fibers.size())
        contexts.resize(machine.fibers.size());
    ucontext_t &context = contexts[fiber.thread.x];
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = STACK;
    context.uc_link = nullptr;
    makecontext(&context, body, 0);
}

static void resume(Fiber &fiber)
{
    machine.current = &fiber;
    swapcontext(&scheduler, &contexts[fiber.thread.x]);
}

void yield(Wait wait)
{
    machine.current->wait = wait;
    swapcontext(&contexts[machine.current->thread.x], &scheduler);
}
#endif

// Runs threads `from..to`, a warp, until all wait for the block or are done. True where they wait.
static bool run_warp(unsigned from, unsigned to)
{
    for (;;) {
        unsigned waits[4] = {0, 0, 0, 0};
        for (unsigned k = from; k < to; k++) {
            if (machine.fibers[k].wait == Wait::Nothing)
                resume(machine.fibers[k]);
            waits[(int)machine.fibers[k].wait]++;
        }
        if (waits[(int)Wait::Warp] == 0) {
            if (waits[(int)Wait::Block] != 0 && waits[(int)Wait::Block] != to - from)
                fail("a barrier that some threads do not reach");
            return waits[(int)Wait::Block] != 0;
        }
        if (waits[(int)Wait::Warp] != to - from || to - from != 32)
            fail("an operation of a warp that some threads do not reach");
        for (unsigned k = from; k < to; k++)
            machine.fibers[k].wait = Wait::Nothing;
    }
}

static void run_block(unsigned threads)
{
    for (unsigned k = 0; k < threads; k++) {
        machine.fibers[k].thread.x = k;
        machine.fibers[k].wait = Wait::Nothing;
        machine.fibers[k].turn = 0;
        start(machine.fibers[k], machine.stacks.data() + k * STACK);
    }
    for (;;) {
        unsigned waiting = 0, warps = (threads + 31) / 32;
        for (unsigned k = 0; k < warps; k++) {
            unsigned from = 32 * (machine.backward ? warps - 1 - k : k);
            waiting += run_warp(from, threads < from + 32 ? threads : from + 32);
        }
        if (waiting == 0)
            return;
        if (waiting != warps)
            fail("a barrier that some warps do not reach");
        for (unsigned k = 0; k < threads; k++)
            machine.fibers[k].wait = Wait::Nothing;
    }
}

}

extern "C" void icpc_shim_launch(void (*kernel)(const void *), unsigned grid, unsigned threads, const void *params)
{
    using namespace shim;
    if (machine.fibers.size() < threads) {
        machine.fibers.resize(threads);
        machine.stacks.resize(threads * STACK);
        machine.places.resize((threads + 31) / 32 * 64);
        machine.fragments.resize((threads + 31) / 32 * 64 * 6);
    }
    machine.kernel = kernel, machine.params = params;
    machine.grid_dim.x = grid, machine.block_dim.x = threads;
    machine.backward = !machine.backward;
    for (unsigned k = 0; k < grid; k++) {
        machine.block.x = machine.backward ? grid - 1 - k : k;
        run_block(threads);
    }
}
