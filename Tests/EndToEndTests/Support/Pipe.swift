import CLinux
import Foundation
import Glibc

/// Both ends of a pipe(2), closed on exec; the one who uses them closes them.
struct DescriptorPipe {
    let readEnd: Int32
    let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        // pipe2(2) is not in Swift's Glibc; a child spawned in between closes both by itself (`ChildProcess`).
        guard pipe(&ends) == 0 else { throw HarnessError("pipe: \(errnoText())") }
        for fd in ends { _ = fcntl(fd, F_SETFD, FD_CLOEXEC) }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }
}
