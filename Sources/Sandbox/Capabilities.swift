internal import CLinux
internal import Glibc

/// What a process of root has beyond an ordinary user, capabilities(7).
public enum Capabilities {
    /// Empties every set of this thread. With `no_new_privs`, which `Limits.apply()` sets first, no execve gives one back, also not to
    /// root. What root owns it can still open, and what others own only as their modes allow.
    public static func drop() throws(SandboxError) {
        guard csd_drop_capabilities() == 0 else { throw .failed(call: "capset", errno: errno) }
    }
}
