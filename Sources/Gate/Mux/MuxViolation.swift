/// What the other side of a mux connection sent against the protocol. It ends the connection.
public enum MuxViolation: Error, Equatable, Sendable {
    /// A message claims this many bytes, more than any message of its direction has.
    case tooLong(UInt32)
    /// A message ends inside a field, or the connection inside a message.
    case truncated
    /// Bytes are left over after the last field.
    case trailingBytes(Int)
    /// No message of this direction has this number.
    case unknownType(UInt32)
    /// A request that the protocol has and the gate never lets through.
    case refusedRequest(RefusedRequest)
    /// A text with a zero byte in it, or a command that is not UTF-8.
    case badText
    /// A field of this name has a value that is not allowed here.
    case badValue(StaticString)
    /// The connection's state expects no message of this type.
    case outOfTurn(ReplyType)
    /// A reply to another request than the one that waits for a reply.
    case wrongRequest(UInt32)
    /// A message about another session than the one that this connection opened.
    case wrongSession(UInt32)

    /// Compares the cases and their values as text, because `StaticString` is not equatable.
    public static func == (left: MuxViolation, right: MuxViolation) -> Bool {
        "\(left)" == "\(right)"
    }
}
