/// Finds the server's VERSION, the first packet of a connection, after text that start-up files of the login shell
/// print before the server starts: sshd starts a server that is a program of its own by way of that shell.
struct Greeting {
    /// Most bytes that may come before it.
    static let longestText = 65_536
    /// Bytes of the longest VERSION without its length. OpenSSH's has 250.
    private static let longestVersion = 16_384
    private static let type: UInt8 = 2
    /// Types of replies, which no server sends before VERSION.
    private static let replies: Set<UInt8> = [101, 102, 103, 104, 105, 201]

    private var kept: [UInt8] = []
    /// The index from which on the packet may begin.
    private var start = 0

    /// Whether text has come, with or without the beginning of a packet.
    var hasText: Bool { start > 0 }

    /// All that has come so far.
    var text: ArraySlice<UInt8> { kept[...] }

    /// Takes the packet; nil if all of `bytes` is taken and more must come.
    mutating func next(_ bytes: inout ArraySlice<UInt8>) throws(Malformed) -> SFTPVersion? {
        kept += bytes
        bytes = []
        while kept.count - start > 4 {
            let length = kept[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) }
            if (5...Self.longestVersion).contains(length) {
                let type = kept[start + 4]
                guard start > 0 || !Self.replies.contains(type) else { throw Malformed("a packet of type \(type)") }
                let end = start + 4 + length
                if type == Self.type {
                    guard kept.count >= end else { return nil }
                    // Bytes of text before it may look like its beginning.
                    if let version = try? SFTPVersion(kept[(start + 4)..<end]), start == 0 || version.version < 256 {
                        bytes = kept[end...]
                        return version
                    }
                }
            }
            start += 1
            guard start <= Self.longestText else { throw Malformed("text without end") }
        }
        return nil
    }
}
