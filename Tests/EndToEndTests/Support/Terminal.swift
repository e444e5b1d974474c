import CLinux
import Foundation
import Glibc
import TestSupport

/// A terminal: a program has one end as its standard error, and the test is who sits there.
final class Terminal {
    private let control: Int32
    /// For `ChildProcess`.
    let end: Int32

    init() throws {
        control = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var unlocked: Int32 = 0
        var number: UInt32 = 0
        // TIOCSPTLCK and TIOCGPTN, ioctl_tty(2).
        guard control >= 0, ioctl(control, 0x4004_5431, &unlocked) == 0, ioctl(control, 0x8004_5430, &number) == 0
        else {
            throw HarnessError("no terminal: \(errnoText())")
        }
        end = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard end >= 0, fcntl(control, F_SETFL, O_NONBLOCK) == 0 else {
            throw HarnessError("no terminal: \(errnoText())")
        }
    }

    deinit {
        close(control)
        close(end)
    }

    private var seen = ""

    /// What was shown so far.
    func text() -> String {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(control, &bytes, bytes.count)
            guard count > 0 else { return seen }
            seen += String(decoding: bytes[..<count], as: UTF8.self)
        }
    }
}
