/// What the other side of a mux connection sent against the protocol. Each is final for the connection that it came from.
public enum MuxViolation: Error, Equatable, Sendable {
    /// A message claims this many bytes, more than any message of its direction has.
    case tooLong(UInt32)
    /// A message ends inside a field, or the connection inside a message.
    case truncated
    /// Bytes are left over after the last field.
    case trailingBytes(Int)
    /// No message of this direction has this number.
    case unknownType(UInt32)
    /// A request that the protocol has and that is never let through.
    case refusedRequest(RefusedRequest)
    /// A text with a zero byte in it, or a command that is not UTF-8.
    case badText
    /// A field of this name has a value that is not allowed here.
    case badValue(StaticString)
    /// A message that this state does not expect.
    case outOfTurn(ReplyType)
    /// An answer to another request than the one that waits for it.
    case wrongRequest(UInt32)
    /// News of another session than the one that this connection opened.
    case wrongSession(UInt32)

    /// Equal where case and values are; written out because `StaticString` is not equatable.
    public static func == (left: MuxViolation, right: MuxViolation) -> Bool {
        "\(left)" == "\(right)"
    }
}
