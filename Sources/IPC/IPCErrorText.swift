internal import Glibc

/// The words for errors, which are for the daemon's log and for clients.
extension IPCError: CustomStringConvertible {
    /// What happened, without a full stop. It has all values of the case, so that two different errors have different texts.
    public var description: String {
        switch self {
        case .closed: "the other side closed the channel"
        case .truncated: "a message ends within a field"
        case .trailingBytes(let count): "a message has \(count) bytes behind its last field"
        case .tooLong(let count): "a message or a field of \(count) bytes is too long"
        case .unknownVersion(let version): "a message has version \(version), which is not known here"
        case .unknownTag(let tag): "a message has tag \(tag), which is not known here"
        case .badValue: "a message has a value that it cannot have there"
        case .missingDescriptor: "a message came without its descriptor"
        case .surplusDescriptor: "a message came with a descriptor that it has not"
        case .controlTruncated: "the kernel cut off the descriptors of a message"
        case .system(let call, let errno): "\(call): \(String(cString: strerror(errno)))"
        }
    }
}
