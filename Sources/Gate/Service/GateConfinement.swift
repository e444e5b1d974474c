internal import CLinux
public import Sandbox

/// What a gate has left when it reads its first request: the descriptors that it has, and those that it is given.
public enum GateConfinement {
    /// Memory for a policy of thousands of hosts; a connection, three pipes and a connection of an `ssh` for each session that may
    /// be under way, or as many descriptors in flight. It starts nothing and writes no file.
    private static let limits = Limits(
        data: 512 << 20, addressSpace: 2 << 30, openFiles: 768, addedTasks: nil, fileSize: 0)

    /// Gives up everything else: limits, capabilities, every file (Landlock grants nothing), system calls. Call with one thread;
    /// there is no way back.
    /// - Returns: the Landlock ABI in force, 0 for none.
    public static func enter(requireLandlock: Bool) throws(SandboxError) -> Int {
        let threads = Int(csd_thread_count())
        guard threads == 1 else { throw .notSingleThreaded(threads) }
        try limits.apply()
        try Capabilities.drop()
        let abi = try Landlock.restrict(required: requireLandlock) { _ throws(SandboxError) in }
        try SeccompFilter.load(GateSyscalls.rules)
        return abi
    }
}
