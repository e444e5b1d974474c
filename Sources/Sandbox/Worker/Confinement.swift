internal import CLinux

/// The whole confinement, in the order in which each step still can be taken.
public enum Confinement {
    /// Limits, capabilities, Landlock, seccomp. Call with one thread; there is no way back.
    /// - Returns: the Landlock ABI in force, 0 for none.
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
