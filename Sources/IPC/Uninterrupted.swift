internal import Glibc

/// Makes a system call again as long as a signal handler interrupts it, EINTR in signal(7). Nothing else looks at EINTR.
/// - Returns: what the call returned; `errno` is as it left it.
public func uninterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
