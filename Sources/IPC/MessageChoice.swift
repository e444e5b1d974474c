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
    /// How many descriptors accompany this message, exactly; at most `PassedDescriptors.maximum`.
    var descriptorCount: Int { get }
}

/// The messages of one direction, by subject.
public protocol IPCMessage: MessageSubject {
    /// The most descriptors that a message of this direction carries. Where that is 0, none is taken from the other side.
    static var maximumDescriptors: Int { get }
}

extension IPCMessage {
    /// In most directions some message carries one.
    public static var maximumDescriptors: Int { 1 }

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
