internal import CLinux
internal import Glibc

/// The rights of a process of root that an ordinary user does not have, capabilities(7).
public enum Capabilities {
    /// Empties all capability sets of this thread. `Limits.apply()` sets `no_new_privs` before, so that no execve(2) gives a
    /// capability back, not even to root. Root can still open its own files, but those of others only as their modes allow.
    public static func drop() throws(SandboxError) {
        guard csd_drop_capabilities() == 0 else { throw .failed(call: "capset", errno: errno) }
    }
}
