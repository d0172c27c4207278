"""Runs a function in processes that are forked from one that has imported the function's dependencies.

    python -m pybundle_fork HANDLER

Standard input has commands, one in each line:

    run NUMBER ADDRESS  end the process of the function, and fork another one for the runtime API at this address
    import ["NAME", …]  import modules that the function needs, but that are not its own
    end                 end the process of the function

Standard output has what happens:

    modules [["NAME", "FILE"], …]  what the function has imported until its client asked for an event
    imported THREADS [[…], …]      how many threads there are now, and what is imported
    exited NUMBER STATUS           the process of the function ended; a negative status is a signal

What the function prints goes to standard error.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys

# They connect to the runtime API when they are imported, whose address is another one for each process.
DEFERRED = ("awslambdaric.bootstrap", "awslambdaric.lambda_runtime_client", "awslambdaric.__main__", "runtime_client")
CLIENT = ("lambda_context", "lambda_runtime_exception", "lambda_runtime_log_utils", "lambda_runtime_marshaller")


def imported():
    """Returns the names of the imported modules with their files, in their order."""
    modules = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    return json.dumps([[name, file] for name, file in modules if isinstance(file, str) and name not in DEFERRED])


def import_all(names):
    """Imports modules, silently: the function itself shows what goes wrong."""
    kept, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        for name in names:
            try:
                importlib.import_module(name)
            except Exception:
                pass
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
    # What is collected later would write to pages that are shared with the processes of the function.
    gc.collect()
    gc.freeze()


def be_function(handler, address, tell):
    """Becomes the process of the function, and ends."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ["AWS_LAMBDA_RUNTIME_API"] = address
        # Files may have appeared in the same moment as others that are known.
        importlib.invalidate_caches()
        from awslambdaric import lambda_runtime_client

        client = lambda_runtime_client.LambdaRuntimeClient
        wait = client.wait_next_invocation

        def wait_next_invocation(self):
            tell("modules", imported())
            return wait(self)

        client.wait_next_invocation = wait_next_invocation
        sys.argv = ["awslambdaric", handler]
        runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            status = ended.code or 0
        else:
            print(ended.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        os._exit(status & 0xFF)


class Function:
    """A process of the function."""

    def __init__(self, number, handler, address, output):
        self.number = number
        # The end of the process closes it.
        self.ended, alive = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            be_function(handler, address, lambda *words: tell(output, *words))
        os.close(alive)

    def end(self, kill):
        """Waits for the end, and returns the status."""
        if kill:
            for process in list(processes(self.process)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(self.process, 0)
        os.close(self.ended)
        return os.waitstatus_to_exitcode(status)


def processes(first):
    """Returns a process and those that it and they have started, without those whose parents have ended."""
    yield first
    try:
        with open(f"/proc/{first}/task/{first}/children") as children:
            started = children.read().split()
    except OSError:
        return
    for process in started:
        yield from processes(int(process))


def tell(output, *words):
    line = (" ".join(map(str, words)) + "\n").encode()
    while line:
        line = line[os.write(output, line):]


def main(handler):
    output = os.dup(1)
    os.dup2(2, 1)
    for name in CLIENT:
        importlib.import_module("awslambdaric." + name)
    function, received = None, b""
    while True:
        ready, _, _ = select.select([0] + ([function.ended] if function else []), [], [])
        if function and function.ended in ready:
            tell(output, "exited", function.number, function.end(kill=False))
            function = None
        if 0 not in ready:
            continue
        chunk = os.read(0, 1 << 16)
        if not chunk:
            break
        *lines, received = (received + chunk).split(b"\n")
        for line in lines:
            command, _, rest = line.decode().partition(" ")
            if command == "import":
                import_all(json.loads(rest))
                tell(output, "imported", len(os.listdir("/proc/self/task")), imported())
                continue
            if function:
                function.end(kill=True)
                function = None
            if command == "run":
                number, address = rest.split()
                function = Function(number, handler, address, output)
    if function:
        function.end(kill=True)


if __name__ == "__main__":
    main(sys.argv[1])
