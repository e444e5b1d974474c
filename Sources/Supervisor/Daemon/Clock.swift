internal import CLinux
internal import Glibc

/// Time for measuring.
enum Clock {
    /// Milliseconds of a steady clock.
    static func milliseconds() -> Int { microseconds() / 1000 }

    /// Microseconds of the same clock.
    static func microseconds() -> Int {
        var clock = timespec()
        clock_gettime(CLOCK_MONOTONIC, &clock)
        return Int(clock.tv_sec) * 1_000_000 + Int(clock.tv_nsec) / 1_000
    }
}
