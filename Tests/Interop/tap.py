"""Runs a bridge and writes down every line that passes, as `>` or `<` and the line: tap.py RECORD COMMAND [ARGUMENT…]"""

import os
import subprocess
import sys
import threading


def passed_on(source, target, record, mark):
    """Copies lines to their end; each is in the record before anybody can have seen it."""
    for line in iter(source.readline, b""):
        os.write(record, mark + line)
        try:
            target.write(line)
            target.flush()
        except BrokenPipeError:
            break
    try:
        target.close()
    except BrokenPipeError:
        pass


def main():
    record = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    bridge = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    to_server = threading.Thread(
        target=passed_on, args=(sys.stdin.buffer, bridge.stdin, record, b">"), daemon=True)
    to_server.start()
    passed_on(bridge.stdout, sys.stdout.buffer, record, b"<")
    # Not sys.exit: it would wait for the thread that reads standard input.
    os._exit(bridge.wait())


main()
