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
