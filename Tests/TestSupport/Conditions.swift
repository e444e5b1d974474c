import Glibc

// What one test closes, another test may still hold: all of them are one process, and a child that is being started has
// a copy of every descriptor until it executes its program. Whatever follows from a close therefore comes a moment later,
// and is waited for.

/// Waits for a condition for at most 20 seconds. Returns whether it came to hold.
package func comesToHold(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while try !condition() {
        guard .now < deadline else { return false }
        poll(nil, 0, 2)
    }
    return true
}

/// Waits for at most 20 seconds until nobody holds the other end of a pipe or a socket, poll(2). Returns whether it is so.
package func losesOtherEnd(_ number: Int32) -> Bool {
    var waiting = pollfd(fd: number, events: 0, revents: 0)
    return poll(&waiting, 1, 20_000) == 1 && waiting.revents & Int16(POLLHUP | POLLERR) != 0
}
