internal import CLinux
internal import Glibc

/// Resource limits of the worker and, inherited, of each `ssh`, setrlimit(2).
public enum Limits {
    /// Private writable memory in bytes (`RLIMIT_DATA`): above the largest answer that the config allows, two streams of
    /// 16 MiB of control characters, which take six bytes each in JSON and seven more as text, and the results that wait.
    public static let data: UInt = 2 << 30
    /// Open descriptors (`RLIMIT_NOFILE`): three pipes and a pidfd for each of some hundreds of `ssh` processes.
    public static let openFiles: UInt = 2048

    /// No core file, bounded memory and descriptors, not dumpable, no new privileges by execve.
    public static func apply() throws(SandboxError) {
        try set(__rlimit_resource_t(RLIMIT_CORE.rawValue), "RLIMIT_CORE", to: 0)
        try set(__rlimit_resource_t(RLIMIT_DATA.rawValue), "RLIMIT_DATA", to: data)
        try set(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), "RLIMIT_NOFILE", to: openFiles)
        guard csd_set_undumpable() == 0 else { throw .failed(call: "prctl(PR_SET_DUMPABLE)", errno: errno) }
        guard csd_set_no_new_privs() == 0 else { throw .failed(call: "prctl(PR_SET_NO_NEW_PRIVS)", errno: errno) }
    }

    private static func set(_ resource: __rlimit_resource_t, _ name: String, to bound: UInt) throws(SandboxError) {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { throw .failed(call: "getrlimit(\(name))", errno: errno) }
        // Never above what the user was given.
        limit.rlim_max = min(limit.rlim_max, bound)
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(resource, &limit) == 0 else { throw .failed(call: "setrlimit(\(name))", errno: errno) }
    }
}
