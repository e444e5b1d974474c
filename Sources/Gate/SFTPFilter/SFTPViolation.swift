/// What a worker asked for on an SFTP channel, and an honest one never does. The channel ends with it, and the worker.
public enum SFTPViolation: Error, Equatable, Sendable {
    /// A packet of this many bytes, which none of the requests needs.
    case length(Int)
    /// Fields that do not fill their packet, or do not fit into it.
    case malformed
    /// The conversation does not begin with INIT of version 3, or INIT comes again.
    case greeting
    /// A request of this type, draft-ietf-secsh-filexfer-02 section 3, that no worker sends.
    case type(UInt8)
    /// An extension that no worker uses; at most 64 bytes of its name.
    case `extension`(String)
    /// OPEN with these flags, or attributes of this kind.
    case flags(UInt32)
    /// It changes something, and the host's `file_write` is off.
    case writing
    /// A path outside of the host's `base_dir`; at most 200 bytes of it.
    case outside(String)
}
