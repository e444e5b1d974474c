import TestSupport
import Testing

@testable import SFTP

@Suite("SFTP packets")
struct SFTPCodecTests {
    private static func attributes(_ generator: inout SeededGenerator) -> SFTPAttributes {
        func maybe<Value>(_ value: @autoclosure () -> Value) -> Value? {
            Bool.random(using: &generator) ? value() : nil
        }
        return SFTPAttributes(
            size: maybe(.random(in: .min ... .max, using: &generator)),
            owner: maybe(.init(user: .random(in: .min ... .max, using: &generator), group: 7)),
            permissions: maybe(.random(in: .min ... .max, using: &generator)),
            times: maybe(.init(access: 1, modification: .random(in: .min ... .max, using: &generator))))
    }

    private static func bytes(_ generator: inout SeededGenerator, most: Int) -> [UInt8] {
        (0..<Int.random(in: 0...most, using: &generator)).map { _ in .random(in: .min ... .max, using: &generator) }
    }

    /// Packets of each kind, with what they mean.
    private static func samples(_ generator: inout SeededGenerator) -> [(packet: [UInt8], reply: SFTPReply)] {
        let names = (0..<3).map { _ in
            SFTPName(name: bytes(&generator, most: 30), attributes: attributes(&generator))
        }
        let (data, handle, one) = (bytes(&generator, most: 300), bytes(&generator, most: 256), attributes(&generator))
        typealias Server = SFTPScriptedServer
        return [
            (Server.status(9, 4, "no"), .status(.failure, "no")), (Server.handle(9, handle), .handle(handle)),
            (Server.data(9, data), .data(data[...])), (Server.names(9, names, longName: [1, 2]), .names(names)),
            (Server.attributes(9, one), .attributes(one)),
            (extended(9, size: 77, pairs: 2), .attributes(SFTPAttributes(size: 77))),
        ]
    }

    /// ATTRS with pairs of a vendor.
    private static func extended(_ id: UInt32, size: UInt64, pairs: UInt32) -> [UInt8] {
        SFTPScriptedServer.packet(105) { writer in
            writer.number(id)
            writer.number(0x8000_0001 as UInt32)
            writer.number(size)
            writer.number(pairs)
            for _ in 0..<pairs {
                writer.string("a@b".utf8)
                writer.string([1, 2, 3])
            }
        }
    }

    @Test func `names and texts are no longer than they may be`() throws {
        typealias Server = SFTPScriptedServer
        func named(_ length: Int) -> SFTPName {
            SFTPName(name: Array(repeating: 0x6E, count: length), attributes: SFTPAttributes())
        }
        func check(_ packet: [UInt8], _ answer: SFTPRequest.Answer) throws {
            try SFTPReply.decode(packet[4...]).reply.check(answers: answer)
        }
        try check(Server.names(9, [named(1024)]), .names)
        #expect(throws: Malformed.self) { try check(Server.names(9, [named(1025)]), .names) }
        try check(Server.names(9, [named(4096)]), .name)
        #expect(throws: Malformed.self) { try check(Server.names(9, [named(4097)]), .name) }
        try check(Server.names(9, Array(repeating: named(1), count: 5000)), .names)
        #expect(throws: Malformed.self) { try check(Server.names(9, Array(repeating: named(1), count: 5001)), .names) }
        for (length, isKept) in [(1024, true), (1025, false)] {
            let packet = Server.packet(201) { writer in
                writer.number(9 as UInt32)
                for _ in 0..<length { writer.byte(1) }
            }
            if isKept {
                try check(packet, .extended)
            } else {
                #expect(throws: Malformed.self) { try check(packet, .extended) }
            }
        }
    }

    @Test func `what is written is read`() throws {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            for (packet, reply) in Self.samples(&generator) {
                let decoded = try SFTPReply.decode(packet[4...])
                #expect(decoded.id == 9 && decoded.reply == reply)
            }
        }
    }

    @Test func `every truncation is refused, and everything left over`() {
        var generator = SeededGenerator(seed: 12)
        for _ in 0..<10 {
            for (packet, reply) in Self.samples(&generator) {
                for end in 4..<packet.count {
                    // A status may end behind its code, and its text without a language.
                    if case .status = reply, end == 13 || end == 13 + 4 + 2 { continue }
                    #expect(throws: Malformed.self) { try SFTPReply.decode(packet[4..<end]) }
                }
                #expect(throws: Malformed.self) { try SFTPReply.decode(packet[4...] + [0]) }
            }
        }
    }

    @Test func `random bytes are refused or read, and never trap`() {
        var generator = SeededGenerator(seed: 13)
        var read = 0
        let types: [UInt8] = [101, 102, 103, 104, 105, 201]
        for _ in 0..<300_000 {
            var packet: [UInt8] = []
            for _ in 0..<5 {
                // Small numbers are what lengths and counts need to be believed.
                let word = generator.next()
                packet +=
                    word & 1 == 0
                    ? [0, 0, 0, UInt8(truncatingIfNeeded: word >> 8) & 0x0F]
                    : [3, 2, 1, 0].map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
            }
            packet.insert(types[Int(generator.next() % 6)], at: 0)
            packet.removeLast(Int(generator.next() % 12))
            if (try? SFTPReply.decode(packet[...])) != nil { read += 1 }
            _ = try? SFTPVersion(packet[...])
        }
        #expect(read > 1000)
    }

    @Test func `a length is judged before anything is kept, wherever the stream is split`() throws {
        let packets = [SFTPScriptedServer.status(1, 0), SFTPScriptedServer.data(2, Array(repeating: 7, count: 5000))]
        let stream = packets.flatMap { $0 }
        for size in [1, 2, 3, 5, 100, 5000, stream.count] {
            var framer = PacketFramer()
            var seen: [[UInt8]] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                var chunk = stream[start..<min(start + size, stream.count)]
                while let packet = try framer.next(&chunk) { seen.append(Array(packet)) }
            }
            #expect(seen == packets.map { Array($0[4...]) })
        }
        for length: [UInt8] in [[0, 0, 0, 0], [0, 4, 4, 1], [0xFF, 0xFF, 0xFF, 0xFF], Array("Welc".utf8)] {
            var framer = PacketFramer()
            var chunk = length[...]
            #expect(throws: Malformed.self) { try framer.next(&chunk) }
        }
        var framer = PacketFramer()
        var chunk: ArraySlice<UInt8> = [0, 4, 4, 0]
        #expect(try framer.next(&chunk) == nil)
    }

    @Test func `requests are as the drafts have them`() {
        #expect(SFTPRequest.initialize == [0, 0, 0, 5, 1, 0, 0, 0, 3])
        #expect(
            SFTPRequest.read([7], offset: 258, length: 16).encode(id: 5)
                == [0, 0, 0, 22, 5, 0, 0, 0, 5, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 16])
        let open = SFTPRequest.open([47, 97], [.write, .create, .exclusive], SFTPAttributes(permissions: 0o600))
        #expect(
            open.encode(id: 1)
                == [0, 0, 0, 23, 3, 0, 0, 0, 1, 0, 0, 0, 2, 47, 97, 0, 0, 0, 0x2A, 0, 0, 0, 4, 0, 0, 1, 0x80].withLength
        )
        let rename = SFTPRequest.posixRename([97], to: [98]).encode(id: 2)
        #expect(
            rename
                == ([0, 0, 0, 0, 200, 0, 0, 0, 2, 0, 0, 0, 24] + Array("posix-rename@openssh.com".utf8) + [
                    0, 0, 0, 1, 97, 0, 0, 0, 1, 98,
                ]).withLength)
    }

    @Test func `paths`() {
        func split(_ path: String) -> [String]? {
            RemotePath.split(Array(path.utf8)).map {
                [String(decoding: $0.directory, as: UTF8.self), String(decoding: $0.name, as: UTF8.self)]
            }
        }
        #expect(split("/a/b") == ["/a", "b"])
        #expect(split("/a") == ["/", "a"])
        #expect(split("a") == [".", "a"])
        #expect(split("/a/b/") == ["/a", "b"])
        #expect(["", "/", ".", "..", "/a/..", "/a/./"].allSatisfy { split($0) == nil })
        func inside(_ path: String, _ base: String) -> Bool { RemotePath.isInside(Array(path.utf8), Array(base.utf8)) }
        #expect(
            inside("/a", "/a") && inside("/a/b", "/a") && inside("/x", "/") && inside("/", "/") && inside("/a/b", "/a/")
        )
        #expect(!inside("/ab", "/a") && !inside("/", "/a") && !inside("a", "/") && !inside("", ""))
        #expect(RemotePath.ends(Array("/a//b/c".utf8)) == [2, 5, 7] && RemotePath.ends(Array("/a/".utf8)) == [2])
        for name in [1, 200, 255] {
            let temporary =
                RemotePath.temporary(beside: Array(("/d/" + String(repeating: "n", count: name)).utf8)) ?? []
            #expect(temporary.starts(with: "/d/.n".utf8) && temporary.count <= 3 + 255)
        }
    }
}

extension [UInt8] {
    /// With its length in the first four bytes.
    fileprivate var withLength: [UInt8] {
        [0, 0, UInt8((count - 4) >> 8), UInt8((count - 4) & 0xFF)] + self[4...]
    }
}
