internal import CLinux
internal import Glibc

/// The whole confinement of a worker that executes nothing. Its steps are in the only order in which each of them is still possible.
public enum Confinement {
    /// Confines this process, for good. The process must have one thread.
    /// - Returns: the Landlock ABI in force; 0 if there is none.
    public static func enter(requireLandlock: Bool) throws(SandboxError) -> Int {
        let threads = Int(csd_thread_count())
        guard threads == 1 else { throw .notSingleThreaded(threads) }
        try Limits.worker.apply()
        try Capabilities.drop()
        return try restrict(requireLandlock: requireLandlock)
    }

    /// Files, of which Landlock grants none, and system calls. Behind the limits.
    static func restrict(requireLandlock: Bool) throws(SandboxError) -> Int {
        let abi = try Landlock.restrict(required: requireLandlock) { _ throws(SandboxError) in }
        try SeccompFilter.load(WorkerSyscalls.rules(of: getpid()))
        return abi
    }
}
