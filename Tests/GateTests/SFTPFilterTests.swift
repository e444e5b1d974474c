import TestSupport
import Testing

@testable import SFTPFilter

/// A filter with what its owner holds for it.
private struct HeldFilter {
    private var filter: SFTPFilter
    private var held: [UInt8] = []

    init(_ rules: SFTPRules) {
        filter = SFTPFilter(rules)
    }

    /// Takes bytes that have come.
    /// - Returns: what may go on now.
    mutating func take(_ bytes: ArraySlice<UInt8>) throws(SFTPViolation) -> [UInt8] {
        // A slice whose indices do not begin at 0.
        let all = [0xFF] + held + bytes
        let count = try filter.judge(all[1...])
        held = Array(all.dropFirst(1 + count))
        #expect(held.count <= SFTPFilter.longestUnjudged)
        return Array(all[1...].prefix(count))
    }
}

/// What passes on an SFTP channel of a host whose policy is narrower than everything.
@Suite("SFTP filter", .timeLimit(.minutes(1)))
struct SFTPFilterTests {
    private typealias Bytes = [UInt8]

    private static let initialize: Bytes = [0, 0, 0, 5, 1, 0, 0, 0, 3]
    private static let everything = SFTPRules(allowsWriting: true, baseDirectory: nil)
    private static let reading = SFTPRules(allowsWriting: false, baseDirectory: nil)
    private static let tree = SFTPRules(allowsWriting: true, baseDirectory: "/srv/./data/")

    private static func number(_ value: Int) -> Bytes { (0..<4).reversed().map { UInt8(value >> ($0 * 8) & 0xFF) } }
    private static func string(_ bytes: Bytes) -> Bytes { number(bytes.count) + bytes }
    private static func string(_ text: String) -> Bytes { string(Bytes(text.utf8)) }

    /// A packet of this type with request number 7.
    private static func packet(_ type: UInt8, _ fields: Bytes) -> Bytes {
        number(fields.count + 5) + [type] + number(7) + fields
    }

    private static func `extension`(_ name: String, _ fields: Bytes = []) -> Bytes {
        packet(200, string(name) + fields)
    }

    private static let noAttributes = number(0)
    private static let allAttributes = number(0x0F) + Bytes(repeating: 1, count: 8 + 8 + 4 + 8)

    /// What an honest worker sends, with the path in it: whether it writes.
    private static func requests(_ path: String, _ other: String) -> [(bytes: Bytes, writes: Bool, paths: Bool)] {
        [
            (packet(3, string(path) + number(1) + noAttributes), false, true),
            (packet(3, string(path) + number(0x2A) + number(4) + number(0o600)), true, true),
            (packet(3, string(path) + number(3) + noAttributes), true, true),
            (packet(3, string(path) + number(1) + number(4) + number(0o600)), true, true),
            (packet(4, string([0, 0, 0, 1])), false, false),
            (packet(5, string([0, 0, 0, 1]) + Bytes(repeating: 0, count: 8) + number(32_768)), false, false),
            (packet(6, string([0, 0, 0, 1]) + Bytes(repeating: 0, count: 8) + string("content")), true, false),
            (packet(6, string([]) + Bytes(repeating: 0, count: 8) + string("")), true, false),
            (packet(7, string(path)), false, true), (packet(8, string([9])), false, false),
            (packet(10, string([9]) + allAttributes), true, false), (packet(11, string(path)), false, true),
            (packet(12, string([9])), false, false), (packet(13, string(path)), true, true),
            (packet(14, string(path) + noAttributes), true, true), (packet(15, string(path)), true, true),
            (packet(16, string(path)), false, true),
            (packet(17, string(path)), false, true), (packet(19, string(path)), false, true),
            (`extension`("limits@openssh.com"), false, false),
            (`extension`("statvfs@openssh.com", string(path)), false, true),
            (`extension`("fsync@openssh.com", string([9])), true, false),
            (`extension`("posix-rename@openssh.com", string(path) + string(other)), true, true),
            (`extension`("posix-rename@openssh.com", string(other) + string(path)), true, true),
            (`extension`("hardlink@openssh.com", string(path) + string(other)), true, true),
            (`extension`("hardlink@openssh.com", string(other) + string(path)), true, true),
        ]
    }

    private static func verdict(_ rules: SFTPRules, _ bytes: Bytes) -> Result<Bytes, SFTPViolation> {
        var filter = HeldFilter(rules)
        do throws(SFTPViolation) {
            guard try filter.take(initialize[...]) == initialize else { return .success([]) }
            return .success(try filter.take(bytes[...]))
        } catch {
            return .failure(error)
        }
    }

    @Test func `an honest worker's requests pass unchanged, those that write only where that is allowed`() {
        for request in Self.requests("/srv/data/a", "/srv/data/b") {
            #expect(Self.verdict(Self.everything, request.bytes) == .success(request.bytes))
            #expect(Self.verdict(Self.tree, request.bytes) == .success(request.bytes))
            let read: Result<Bytes, SFTPViolation> = request.writes ? .failure(.writing) : .success(request.bytes)
            #expect(Self.verdict(Self.reading, request.bytes) == read, "\(request.bytes)")
        }
    }

    @Test(arguments: [
        "/", "/srv", "/srv/dat", "/srv/database", "/srv/data/..", "/srv/data/x/../..", "/srv/data/a/../b", "srv/data/a",
        "", ".", "~", "~/a", "//", "/srv/data\u{301}/a", "/SRV/data/a", "/srv/data/a\0b", "/etc/passwd",
    ])
    func `a path outside of the tree ends every request that names it`(path: String) {
        for request in Self.requests(path, "/srv/data/b") where request.paths {
            // The login directory's name may be asked for.
            let expected: Result<Bytes, SFTPViolation> =
                path == "." && request.bytes[4] == 16 ? .success(request.bytes) : .failure(.outside(path))
            #expect(Self.verdict(Self.tree, request.bytes) == expected)
        }
    }

    @Test(arguments: [
        "/srv/data", "/srv/data/", "//srv//data//a", "/srv/./data/./a", "/srv/data/.hidden", "/srv/data/a..b",
    ])
    func `a path in the tree passes, however it is written`(path: String) {
        for request in Self.requests(path, "/srv/data/b") {
            #expect(Self.verdict(Self.tree, request.bytes) == .success(request.bytes))
        }
    }

    @Test func `a tree at the root holds every absolute path`() {
        let rules = SFTPRules(allowsWriting: false, baseDirectory: "/")
        #expect(!rules.allowEverything)
        #expect(
            Self.verdict(rules, Self.packet(7, Self.string("/etc"))) == .success(Self.packet(7, Self.string("/etc"))))
        #expect(Self.verdict(rules, Self.packet(7, Self.string("etc"))) == .failure(.outside("etc")))
    }

    @Test func `what no worker sends is a violation, also where everything is allowed`() {
        let long = Bytes(repeating: 0x61, count: 257)
        let huge = Bytes(repeating: 0x61, count: SFTPFilter.longestRequest)
        let cases: [(Bytes, SFTPViolation)] = [
            (Self.initialize, .greeting),
            // SETSTAT, RENAME, SYMLINK, and types that are answers or unknown.
            (Self.packet(9, Self.string("/a") + Self.noAttributes), .type(9)),
            (Self.packet(18, Self.string("/a") + Self.string("/b")), .type(18)),
            (Self.packet(20, Self.string("/a") + Self.string("/b")), .type(20)), (Self.packet(0, []), .type(0)),
            (Self.packet(2, []), .type(2)), (Self.packet(101, []), .type(101)), (Self.packet(201, []), .type(201)),
            (Self.`extension`("copy-data"), .extension("copy-data")),
            (
                Self.`extension`("lsetstat@openssh.com", Self.string("/a") + Self.noAttributes),
                .extension("lsetstat@openssh.com")
            ),
            (Self.`extension`("fstatvfs@openssh.com", Self.string([1])), .extension("fstatvfs@openssh.com")),
            // APPEND, an unknown flag, extended attributes.
            (Self.packet(3, Self.string("/a") + Self.number(4) + Self.noAttributes), .flags(4)),
            (Self.packet(3, Self.string("/a") + Self.number(0x41) + Self.noAttributes), .flags(0x41)),
            (Self.packet(10, Self.string([1]) + Self.number(1 << 31) + Self.number(0)), .flags(1 << 31)),
            (Self.packet(8, Self.string(long)), .malformed), (Self.packet(12, Self.string(long)), .malformed),
            (Self.packet(6, Self.string(long) + Bytes(repeating: 0, count: 8) + Self.string("x")), .malformed),
            (Self.packet(7, Self.string(huge)), .length(huge.count + 9)),
            ([0, 0, 0, 0, 4], .length(0)), ([0xFF, 0xFF, 0xFF, 0xFF, 7], .length(0xFFFF_FFFF)),
            (Self.number(SFTPFilter.longestWrite + 1) + [6], .length(SFTPFilter.longestWrite + 1)),
            // Content that is longer or shorter than its packet says.
            (
                Self.packet(6, Self.string([1]) + Bytes(repeating: 0, count: 8) + Self.number(4) + [1, 2, 3]),
                .malformed
            ),
            (
                Self.packet(6, Self.string([1]) + Bytes(repeating: 0, count: 8) + Self.number(2) + [1, 2, 3]),
                .malformed
            ),
        ]
        for (bytes, violation) in cases {
            #expect(Self.verdict(Self.everything, bytes) == .failure(violation), "\(bytes.prefix(40))")
        }
    }

    @Test func `the conversation begins with version 3`() {
        for bytes in [
            Self.packet(7, Self.string("/a")), [0, 0, 0, 5, 1, 0, 0, 0, 4], [0, 0, 0, 9, 1, 0, 0, 0, 3, 0, 0, 0, 0],
            [0, 0, 0, 5, 2, 0, 0, 0, 3], [0, 0, 0, 1, 1],
        ] as [Bytes] {
            var filter = HeldFilter(Self.everything)
            #expect(throws: SFTPViolation.self) { try filter.take(bytes[...]) }
        }
    }

    @Test func `a packet whose fields are cut or followed by more is malformed`() {
        for request in Self.requests("/srv/data/a", "/srv/data/b") {
            let body = request.bytes.dropFirst(9)
            for count in 0..<body.count {
                // A shorter content than its length says is found as well.
                let cut = Self.packet(request.bytes[4], Bytes(body.prefix(count)))
                guard case .failure = Self.verdict(Self.everything, cut) else {
                    Issue.record("\(cut) passes")
                    continue
                }
            }
            let longer = Self.packet(request.bytes[4], body + [0])
            #expect(Self.verdict(Self.everything, longer) == .failure(.malformed))
        }
    }

    @Test func `every split gives the same bytes, and none of a packet before it is judged`() throws {
        let requests = Self.requests("/srv/data/a", "/srv/data/b")
        for request in requests {
            for cut in 1..<request.bytes.count {
                var filter = HeldFilter(Self.tree)
                _ = try filter.take(Self.initialize[...])
                let first = try filter.take(request.bytes[..<cut])
                #expect(first.isEmpty || request.bytes[4] == 6)
                let second = try filter.take(request.bytes[cut...])
                #expect(first + second == request.bytes)
            }
        }
        let all = Self.initialize + requests.flatMap(\.bytes)
        for size in 1...17 {
            var filter = HeldFilter(Self.tree)
            var out: Bytes = []
            for start in stride(from: 0, to: all.count, by: size) {
                out += try filter.take(all[start..<min(start + size, all.count)])
            }
            #expect(out == all)
        }
    }

    @Test func `a long content passes as it comes and is not kept`() throws {
        var filter = HeldFilter(Self.tree)
        _ = try filter.take(Self.initialize[...])
        let content = Bytes(repeating: 0x5A, count: 200_000)
        let packet = Self.packet(6, Self.string([1]) + Bytes(repeating: 0, count: 8) + Self.string(content))
        #expect(try filter.take(packet[..<100_000]).count == 100_000)
        #expect(try filter.take(packet[100_000...]).count == packet.count - 100_000)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `whatever is damaged, what passes is a beginning of what came and breaks no rule`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let requests = Self.requests("/srv/data/a", "/srv/x").map(\.bytes)
            var bytes = Self.initialize
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes += requests.randomElement(using: &generator) ?? []
            }
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            var filter = HeldFilter(SFTPRules(allowsWriting: false, baseDirectory: "/srv/data"))
            var out: Bytes = []
            var rest = bytes[...]
            do throws(SFTPViolation) {
                while !rest.isEmpty {
                    let part = rest.prefix(Int.random(in: 1...64, using: &generator))
                    out += try filter.take(part)
                    rest = rest.dropFirst(part.count)
                }
            } catch {}
            #expect(bytes.starts(with: out))
            #expect(Self.isHarmless(out), "\(out)")
        }
    }

    /// Judges whole packets in another way than the filter: no type that changes anything, every path below /srv/data.
    private static func isHarmless(_ bytes: Bytes) -> Bool {
        var rest = bytes[...]
        while rest.count >= 5 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            let packet = rest.dropFirst(4).prefix(length)
            rest = rest.dropFirst(4 + length)
            guard packet.count == length, let type = packet.first else { return false }
            switch type {
            case 1, 4, 5, 8, 12: continue
            case 16 where packet.dropFirst(9).elementsEqual(".".utf8): continue
            case 3, 7, 11, 16, 17, 19:
                if type == 3, packet.suffix(8) != [0, 0, 0, 1, 0, 0, 0, 0] { return false }
                guard packet.dropFirst(9).starts(with: Bytes("/srv/data/".utf8)) else { return false }
            case 200:
                let name = String(decoding: packet.dropFirst(9), as: UTF8.self)
                guard name.hasPrefix("limits@") || name.contains("/srv/data/") else { return false }
            default: return false
            }
        }
        return rest.isEmpty
    }
}
