internal import CLinux

/// The whole confinement of a worker. Its steps are in the only order in which each of them is still possible.
public enum Confinement {
    /// Confines this process, for good. The process must have one thread.
    /// - Returns: the Landlock ABI in force; 0 if there is none.
    public static func enter(sshPath: String, requireLandlock: Bool) throws(SandboxError) -> Int {
        let threads = Int(csd_thread_count())
        guard threads == 1 else { throw .notSingleThreaded(threads) }
        try Limits.worker.apply()
        try Capabilities.drop()
        let abi = try Landlock.restrict(sshPath: sshPath, required: requireLandlock)
        try SeccompFilter.load()
        return abi
    }
}
