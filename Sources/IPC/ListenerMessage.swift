/// Worker → supervisor, once, over a socket of its own that is closed then: with `"transport": "ssh"` the worker gives away the
/// listener of its seccomp filter, seccomp_unotify(2), before it reads its first byte of input.
public enum ListenerMessage: UInt8, CaseIterable, IPCMessage {
    /// With the listener.
    case listener = 1

    /// See `MessageSubject`.
    public var descriptorCount: Int { 1 }
}
