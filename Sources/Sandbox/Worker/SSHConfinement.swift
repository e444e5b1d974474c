internal import CLinux

/// The whole confinement of a worker whose sessions `ssh` opens (`"transport": "ssh"`). Its steps are in the only order in which
/// each of them is still possible.
public enum SSHConfinement {
    /// What is in force.
    public struct Confined: Sendable {
        /// The Landlock ABI; 0 if there is none.
        public let landlockABI: Int
        /// The listener of the filter, which belongs to the caller. Who has it answers each connect(2) of this process and of all
        /// that it starts.
        public let listener: Int32
    }

    /// Confines this process, for good. The process must have one thread.
    /// - Parameter sshPath: the one program that may be executed.
    public static func enter(sshPath: String, requireLandlock: Bool) throws(SandboxError) -> Confined {
        let threads = Int(csd_thread_count())
        guard threads == 1 else { throw .notSingleThreaded(threads) }
        try Limits.worker.apply()
        try Capabilities.drop()
        let abi = try Landlock.restrict(sshPath: sshPath, required: requireLandlock)
        return Confined(landlockABI: abi, listener: try SeccompFilter.loadWithListener(SSHSyscalls.rules))
    }
}
