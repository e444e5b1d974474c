/// A request on an SFTP channel that no honest worker sends. It must end the channel and the worker.
public enum SFTPViolation: Error, Equatable, Sendable {
    /// A packet claims this many bytes, which no request needs.
    case length(Int)
    /// The fields do not fill their packet, or do not fit into it.
    case malformed
    /// The first request is not INIT of version 3, or INIT comes again.
    case greeting
    /// A request has this type, draft-ietf-secsh-filexfer-02 section 3, which no worker sends.
    case type(UInt8)
    /// A request has an extension that no worker uses; at most 64 bytes of its name.
    case `extension`(String)
    /// OPEN has these flags, or attributes have these flags, which no worker sends.
    case flags(UInt32)
    /// A request changes something although the host's `file_write` is off.
    case writing
    /// A path is outside the host's `base_dir`; at most 200 bytes of it.
    case outside(String)
}
