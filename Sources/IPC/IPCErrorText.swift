internal import Glibc

/// In words: these errors end up in the daemon's log and in answers to clients.
extension IPCError: CustomStringConvertible {
    /// What happened, without a full stop. Values of its case are in it, so that errors differ where their texts do.
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
