internal import Glibc
internal import IPC

/// Who calls, as the kernel named them when they connected. With socat as the bridge it is socat.
struct AuditClient: Equatable {
    let connection: UInt64
    let pid: Int32
    let uid: UInt32
    /// Absolute path of the program, empty where it cannot be told.
    let executable: String

    /// Bytes kept of the path.
    private static let maximumPath = 512

    /// The program of a process, proc_pid_exe(5).
    static func executable(of pid: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/exe", &buffer, buffer.count)
        return AuditCall.cut(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self), to: maximumPath)
    }
}
