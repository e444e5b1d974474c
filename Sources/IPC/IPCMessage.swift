/// The messages of one direction, by subject.
public protocol IPCMessage: MessageSubject {
    /// The most descriptors that a message of this direction carries. If it is 0, none is taken from the other side.
    static var maximumDescriptors: Int { get }
}

extension IPCMessage {
    /// 1, because in most directions some message carries one.
    public static var maximumDescriptors: Int { 1 }

    /// The packet for this message.
    public func encoded(requestID: UInt32) throws(IPCError) -> [UInt8] {
        var fields = MessageFields(requestID: requestID)
        var message = self
        try fields.field(&message)
        return fields.bytes
    }

    /// Reads a whole packet. It throws if `encoded` would not have written the same.
    public static func decode(_ packet: ArraySlice<UInt8>) throws(IPCError) -> (message: Self, requestID: UInt32) {
        var fields = try MessageFields(reading: packet)
        var requestID: UInt32 = 0
        try fields.field(&requestID)
        guard var message = kinds.first else { throw .badValue }
        try fields.field(&message)
        try fields.finish()
        return (message, requestID)
    }
}
