internal import IPC

/// The policies that workers are started with, each sealed, and made anew from every config.
final class WorkerPolicies {
    /// For a worker that serves or checks patterns.
    let serving: OwnedFD
    /// For a worker that only refuses: no hosts, and nothing to execute.
    let refusing: OwnedFD

    init(_ policy: PolicySnapshot) throws(StartError) {
        serving = try Self.seal(policy)
        var refusal = PolicySnapshot(hosts: [], defaultHost: "")
        refusal.limits = policy.limits
        refusal.requireLandlock = policy.requireLandlock
        refusing = try Self.seal(refusal)
    }

    private static func seal(_ policy: PolicySnapshot) throws(StartError) -> OwnedFD {
        do throws(IPCError) {
            return try policy.sealed()
        } catch {
            throw StartError(sentence: "the policy cannot be handed to workers: \(error)")
        }
    }
}
