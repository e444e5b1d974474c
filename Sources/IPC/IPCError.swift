internal import Glibc

/// Why a message could not be sent, received or understood. Each is final for the channel that it came from.
public enum IPCError: Error, Equatable, Sendable {
    /// The other side closed the channel.
    case closed
    /// The packet ended inside a field.
    case truncated
    /// Bytes were left over after the last field.
    case trailingBytes(Int)
    /// A packet or field is longer than its limit, in bytes.
    case tooLong(Int)
    /// The packet's version byte is not `Frame.version`.
    case unknownVersion(UInt8)
    /// No message of this direction has the tag.
    case unknownTag(UInt8)
    /// A field has a value that its type does not allow.
    case badValue
    /// The message needs a descriptor that did not come.
    case missingDescriptor
    /// A descriptor came that the message does not have.
    case surplusDescriptor
    /// The kernel cut the control data off (`MSG_CTRUNC`).
    case controlTruncated
    /// A system call failed: its name and errno.
    case system(call: StaticString, errno: Int32)

    /// The errno of the system call that failed; EPROTO where none did.
    public var systemErrno: UInt32 {
        switch self {
        case .system(_, let errno): UInt32(bitPattern: errno)
        case .closed, .truncated, .trailingBytes, .tooLong, .unknownVersion, .unknownTag, .badValue, .missingDescriptor,
            .surplusDescriptor, .controlTruncated:
            UInt32(EPROTO)
        }
    }

    /// Compares the cases and their values. This is written out because `StaticString` is not equatable.
    public static func == (left: IPCError, right: IPCError) -> Bool {
        "\(left)" == "\(right)"
    }
}
