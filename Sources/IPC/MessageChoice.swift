/// One of a closed set that travels between processes: its number, then its fields.
public protocol MessageChoice: Equatable, Sendable {
    /// One of each kind. What its fields hold means nothing: a packet is read into it.
    static var kinds: [Self] { get }
    /// What stands for its kind in a packet.
    var number: UInt8 { get }
    /// Walks over its fields, in the order of the packet. The same walk writes a packet and reads one.
    mutating func walk(_ fields: inout MessageFields) throws(IPCError)
}

/// A set without fields needs no more than its raw values.
extension MessageChoice where Self: CaseIterable & RawRepresentable<UInt8>, AllCases == [Self] {
    /// All cases.
    public static var kinds: [Self] { allCases }
    /// The raw value.
    public var number: UInt8 { rawValue }
    /// There are no fields.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {}
}

/// The messages of one subject in one direction.
public protocol MessageSubject: MessageChoice {
    /// Whether exactly one descriptor accompanies this message.
    var carriesDescriptor: Bool { get }
}

/// The messages of one direction, by subject.
public protocol IPCMessage: MessageSubject {
    /// Whether some message of this direction carries a descriptor. Where none does, none is taken from the other side.
    static var mayCarryDescriptor: Bool { get }
}

extension IPCMessage {
    /// Most directions have such messages.
    public static var mayCarryDescriptor: Bool { true }

    /// The packet for this message.
    public func encoded(requestID: UInt32) throws(IPCError) -> [UInt8] {
        var fields = MessageFields(requestID: requestID)
        var message = self
        try fields.field(&message)
        return fields.bytes
    }

    /// Reads a packet, all of it. Throws on anything that `encoded` would not have written.
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
