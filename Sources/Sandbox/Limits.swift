internal import CLinux
internal import Glibc

/// Resource limits of a process and, inherited, of what it starts, setrlimit(2).
public struct Limits: Sendable {
    /// Private writable memory in bytes (`RLIMIT_DATA`).
    public let data: UInt
    /// All memory that is mapped, in bytes (`RLIMIT_AS`): what was written and then made read-only is no longer counted as
    /// private and writable. Above `data` for programs, libraries, stacks and the allocator's reserves.
    public let addressSpace: UInt
    /// Open descriptors (`RLIMIT_NOFILE`). It is also what the user's descriptors in flight are compared with when this process
    /// sends one, unix(7) ETOOMANYREFS.
    public let openFiles: UInt
    /// Processes and threads (`RLIMIT_NPROC`) that may be added to those which the machine has when this process starts; nil
    /// for none at all. The kernel compares it with all of the user's, so it must leave room for what the user starts
    /// meanwhile. It does not bind root.
    public let addedTasks: UInt?
    /// How far files may be written, in bytes (`RLIMIT_FSIZE`); nil for no limit.
    public let fileSize: UInt?

    /// Limits in the units of each.
    public init(data: UInt, addressSpace: UInt, openFiles: UInt, addedTasks: UInt?, fileSize: UInt? = nil) {
        self.data = data
        self.addressSpace = addressSpace
        self.openFiles = openFiles
        self.addedTasks = addedTasks
        self.fileSize = fileSize
    }

    /// No core file, these limits, not dumpable, no new privileges by execve.
    public func apply() throws(SandboxError) {
        try Self.set(__rlimit_resource_t(RLIMIT_CORE.rawValue), "RLIMIT_CORE", to: 0)
        try Self.set(__rlimit_resource_t(RLIMIT_DATA.rawValue), "RLIMIT_DATA", to: data)
        try Self.set(__rlimit_resource_t(RLIMIT_AS.rawValue), "RLIMIT_AS", to: addressSpace)
        try Self.set(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), "RLIMIT_NOFILE", to: openFiles)
        var tasks: UInt = 0
        if let addedTasks { tasks = try Self.tasksOfTheMachine() + addedTasks }
        try Self.set(__rlimit_resource_t(__RLIMIT_NPROC.rawValue), "RLIMIT_NPROC", to: tasks)
        if let fileSize { try Self.set(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), "RLIMIT_FSIZE", to: fileSize) }
        guard csd_set_undumpable() == 0 else { throw .failed(call: "prctl(PR_SET_DUMPABLE)", errno: errno) }
        guard csd_set_no_new_privs() == 0 else { throw .failed(call: "prctl(PR_SET_NO_NEW_PRIVS)", errno: errno) }
    }

    /// Processes and threads of all users. They are at least as many as this user's, and cheap to read: the number behind the
    /// slash of /proc/loadavg, proc(5).
    private static func tasksOfTheMachine() throws(SandboxError) -> UInt {
        let file = open("/proc/loadavg", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .failed(call: "open(/proc/loadavg)", errno: errno) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(file, &bytes, bytes.count)
        let slash = UInt8(ascii: "/")
        let digits = bytes.prefix(max(0, count)).drop { $0 != slash }.dropFirst().prefix { $0 != UInt8(ascii: " ") }
        // The kernel numbers at most 2^22 tasks.
        guard let tasks = UInt(String(decoding: digits, as: UTF8.self)), tasks <= 1 << 22 else {
            throw .failed(call: "read(/proc/loadavg)", errno: EINVAL)
        }
        return tasks
    }

    private static func set(_ resource: __rlimit_resource_t, _ name: String, to bound: UInt) throws(SandboxError) {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { throw .failed(call: "getrlimit(\(name))", errno: errno) }
        // A limit is never raised above what the user was given.
        limit.rlim_max = min(limit.rlim_max, bound)
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(resource, &limit) == 0 else { throw .failed(call: "setrlimit(\(name))", errno: errno) }
    }
}
