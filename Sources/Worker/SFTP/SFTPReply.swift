/// What a server sends, draft-ietf-secsh-filexfer-02 sections 4 and 7.
enum SFTPReply: Equatable, Sendable {
    /// The text is cut to 500 bytes.
    case status(SFTPStatus, String)
    case handle([UInt8])
    case data(ArraySlice<UInt8>)
    case names([SFTPName])
    case attributes(SFTPAttributes)
    case extended(ArraySlice<UInt8>)

    /// Bytes of the longest handle, section 6.3.
    static let longestHandle = 256
    /// Most names in one reply. A packet of 256 KiB has room for fewer, with their long names.
    static let mostNames = 5000
    /// Bytes of the longest name in a directory: file systems allow 255 bytes, or 255 UTF-16 units.
    static let longestName = 1024
    /// Bytes of the longest path that REALPATH or READLINK tells, PATH_MAX.
    static let longestPath = 4096
    /// Bytes of the longest extended reply: statvfs@openssh.com has 88.
    static let longestExtended = 1024

    /// Reads a whole packet, which comes without its length.
    static func decode(_ packet: ArraySlice<UInt8>) throws(Malformed) -> (id: UInt32, reply: SFTPReply) {
        var reader = WireReader(packet)
        let type = try reader.byte()
        let id = try reader.number32()
        let reply: SFTPReply
        switch type {
        case 101:
            let status = SFTPStatus(code: try reader.number32())
            var text: ArraySlice<UInt8> = []
            // Servers of earlier versions leave the text out, and so do some that say version 3.
            if !reader.isAtEnd { text = try reader.string() }
            if !reader.isAtEnd { _ = try reader.string() }
            reply = .status(status, String(decoding: text.prefix(500), as: UTF8.self))
        case 102:
            let handle = try reader.string()
            guard handle.count <= longestHandle else { throw Malformed("a handle of \(handle.count) bytes") }
            reply = .handle(Array(handle))
        case 103: reply = .data(try reader.string())
        case 104:
            var names: [SFTPName] = []
            let count = try reader.count(ofAtLeast: 12)
            guard count <= mostNames else { throw Malformed("\(count) names in one packet") }
            names.reserveCapacity(count)
            for _ in 0..<count {
                let name = Array(try reader.string())
                let ties = FileTies(longName: try reader.string())
                names.append(SFTPName(name: name, attributes: try SFTPAttributes(from: &reader), ties: ties))
            }
            reply = .names(names)
        case 105: reply = .attributes(try SFTPAttributes(from: &reader))
        case 201:
            let rest = reader.remainder()
            guard rest.count <= longestExtended else { throw Malformed("an extended reply of \(rest.count) bytes") }
            // A slice would keep the whole packet in memory.
            reply = .extended(Array(rest)[...])
        default: throw Malformed("a packet of type \(type)")
        }
        try reader.expectEnd()
        return (id, reply)
    }

    /// How many bytes of a file or of a directory it has; each name counts 64 bytes more than it has.
    var content: Int {
        switch self {
        case .data(let bytes): bytes.count
        case .names(let names): names.reduce(0) { $0 + $1.name.count + 64 }
        case .status, .handle, .attributes, .extended: 0
        }
    }

    /// Throws if it does not answer the request, or is longer than such an answer may be.
    func check(answers answer: SFTPRequest.Answer) throws(Malformed) {
        switch (self, answer) {
        case (.status(.ok, _), .status), (.handle, .handle), (.attributes, .attributes), (.extended, .extended): return
        case (.status(.ok, _), _): throw Malformed("OK in the place of what was asked for")
        case (.status, _): return
        case (.data(let data), .data(let most)):
            guard data.count <= most else { throw Malformed("more bytes than were asked for") }
            // Otherwise a reader would ask again without end.
            guard !data.isEmpty || most == 0 else { throw Malformed("no bytes and no end") }
        case (.names(let names), .names):
            guard !names.isEmpty else { throw Malformed("no names and no end") }
            guard names.count <= Self.mostNames else { throw Malformed("\(names.count) names at once") }
            guard names.allSatisfy({ $0.name.count <= Self.longestName }) else {
                throw Malformed("a name of a directory longer than \(Self.longestName) bytes")
            }
        case (.names(let names), .name):
            guard names.count == 1 else { throw Malformed("\(names.count) names in the place of one") }
            guard names[0].name.count <= Self.longestPath else {
                throw Malformed("a path of \(names[0].name.count) bytes")
            }
        default: throw Malformed("an answer of the wrong kind")
        }
    }
}
