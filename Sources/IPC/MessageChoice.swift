/// One of a closed set of values that travel between processes. A packet has its number and then its fields.
public protocol MessageChoice: Equatable, Sendable {
    /// One value of each kind, with any fields. A packet is read by choosing one of these and overwriting its fields.
    static var kinds: [Self] { get }
    /// The number that stands for the kind of this value in a packet.
    var number: UInt8 { get }
    /// Visits all fields, in the order of the packet. The same function writes a packet and reads one.
    mutating func walk(_ fields: inout MessageFields) throws(IPCError)
}

/// Sets whose values have no fields. Their raw values are their numbers.
extension MessageChoice where Self: CaseIterable & RawRepresentable<UInt8>, AllCases == [Self] {
    /// All cases.
    public static var kinds: [Self] { allCases }
    /// The raw value.
    public var number: UInt8 { rawValue }
    /// There are no fields.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {}
}
