internal import CLinux
internal import Glibc

/// The resource limits of a process, setrlimit(2). Programs that it starts inherit them.
public struct Limits: Sendable {
    /// How many bytes of private writable memory it may have (`RLIMIT_DATA`).
    public let data: UInt
    /// How many bytes of mapped memory it may have (`RLIMIT_AS`). Memory that was written and then made read-only counts only
    /// here, and so does a mapping that becomes writable where there would not be room for it twice, mprotect_fixup() in Linux.
    /// It must be above `data`, to have room for programs, libraries, stacks and the allocator's reserves.
    public let addressSpace: UInt
    /// How many descriptors may be open (`RLIMIT_NOFILE`). When this process sends a descriptor, the kernel compares this limit
    /// also with the number of the user's descriptors in flight, unix(7) ETOOMANYREFS.
    public let openFiles: UInt
    /// How many processes and threads (`RLIMIT_NPROC`) may be added to those that the machine has when this process starts; nil
    /// for none at all. The kernel compares the limit with all processes of the user, so it must leave room for those that the
    /// user starts meanwhile. It does not bind root.
    public let addedTasks: UInt?
    /// Up to which size in bytes files may be written (`RLIMIT_FSIZE`); nil for no limit.
    public let fileSize: UInt?

    /// Limits in the units of each.
    public init(data: UInt, addressSpace: UInt, openFiles: UInt, addedTasks: UInt?, fileSize: UInt? = nil) {
        self.data = data
        self.addressSpace = addressSpace
        self.openFiles = openFiles
        self.addedTasks = addedTasks
        self.fileSize = fileSize
    }

    /// Sets these limits. The process also gets no core file, is not dumpable, and gains no privileges by execve(2).
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

    /// How many processes and threads all users have. This user has at most as many. The number is after the slash in
    /// /proc/loadavg, proc(5), so that it is cheap to read.
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
        // A limit is never raised above the one that the user was given.
        limit.rlim_max = min(limit.rlim_max, bound)
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(resource, &limit) == 0 else { throw .failed(call: "setrlimit(\(name))", errno: errno) }
    }
}
