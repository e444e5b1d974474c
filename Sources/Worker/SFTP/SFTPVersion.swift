/// The server's version and extensions, SSH_FXP_VERSION, section 4.
struct SFTPVersion: Equatable, Sendable {
    let version: UInt32
    let extensions: Set<SFTPExtension>

    init(version: UInt32, extensions: Set<SFTPExtension>) {
        self.version = version
        self.extensions = extensions
    }

    /// Reads the whole first packet, which comes without its length.
    init(_ packet: ArraySlice<UInt8>) throws(Malformed) {
        var reader = WireReader(packet)
        guard try reader.byte() == 2 else { throw Malformed("a first packet that is no VERSION") }
        version = try reader.number32()
        var extensions: Set<SFTPExtension> = []
        while !reader.isAtEnd {
            let name = String(decoding: try reader.string(), as: UTF8.self)
            _ = try reader.string()
            if let known = SFTPExtension(rawValue: name) { extensions.insert(known) }
        }
        self.extensions = extensions
    }
}
