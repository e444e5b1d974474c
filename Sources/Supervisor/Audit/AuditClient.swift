internal import Glibc
internal import IPC

/// The process that is the client, as the kernel named it when it connected. If socat is the bridge, it is socat.
struct AuditClient: Equatable {
    let connection: UInt64
    let pid: Int32
    let uid: UInt32
    /// The absolute path of its program; empty if it is not known.
    let executable: String

    /// How many bytes of the path are kept.
    private static let maximumPath = 512

    /// The program of a process, proc_pid_exe(5).
    static func executable(of pid: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/exe", &buffer, buffer.count)
        return AuditCall.cut(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self), to: maximumPath)
    }
}
