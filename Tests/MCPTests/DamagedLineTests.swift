import JSON
import TestSupport
import Testing

@testable import MCP

/// Valid messages that lost or got a byte on their way: a wrong id is never answered, and the right one wherever what came
/// before it leaves no doubt.
@Suite("Damaged lines")
struct DamagedLineTests {
    private static let id: JSONValue = 4711

    private static func texts(_ line: [UInt8]) -> [RequestID] { UnreadableLine(line, most: 10).ids }

    /// A message with its id before, between or behind the other members; ids of others stand deeper and in strings.
    private static func message(_ generator: inout SeededGenerator) -> [UInt8] {
        var members = [#""jsonrpc":"2.0""#, #""method":"tools/call""#, #""params":\#(value(&generator, depth: 0))"#]
        if Bool.random(using: &generator) {
            members.append(#""x\#(Int.random(in: 0..<9, using: &generator))":"","y":{}"#)
        }
        members.shuffle(using: &generator)
        members.insert(#""id":4711"#, at: Int.random(in: 0...members.count, using: &generator))
        let gap = Bool.random(using: &generator) ? " " : ""
        return Array(("{" + members.joined(separator: gap + "," + gap) + "}").utf8)
    }

    private static func value(_ generator: inout SeededGenerator, depth: Int) -> String {
        let kind = Int.random(in: depth == 0 ? 8..<10 : 0..<(depth < 4 ? 10 : 8), using: &generator)
        switch kind {
        case 0: return "\(Int.random(in: -9...99, using: &generator))"
        case 1: return ["true", "false", "null", "1e3", "-0.5"].randomElement(using: &generator) ?? "0"
        case 2: return #""id""#
        case 3: return #""\"id\":9,""#
        case 4: return #"",\"id\":9}""#
        case 5: return #""a\"b\\""#
        case 6: return #""""#
        case 7: return #""é {[ }] : ,""#
        case 8:
            let own = Bool.random(using: &generator) ? "id" : "\\u0069d"
            let names = ["a", own, "b c", "method", "result"].shuffled(using: &generator)
            let members = names.prefix(Int.random(in: 0..<4, using: &generator)).map {
                "\"\($0)\":" + ($0.contains("d") ? "9" : value(&generator, depth: depth + 1))
            }
            return "{" + members.joined(separator: ",") + "}"
        default:
            let elements = (0..<Int.random(in: 0..<4, using: &generator)).map { _ in value(&generator, depth: depth + 1)
            }
            return "[" + elements.joined(separator: ", ") + "]"
        }
    }

    /// Every way in which one byte can be lost, changed or come in between.
    private static func damages(of line: [UInt8]) -> [(at: Int, new: UInt8?, line: [UInt8])] {
        line.indices.flatMap { index -> [(Int, UInt8?, [UInt8])] in
            var all: [(Int, UInt8?, [UInt8])] = [(index, nil, Array(line[..<index] + line[(index + 1)...]))]
            for byte in Array(#""\,:{}[]1x "#.utf8) + [0x00, 0xFF] {
                all.append((index, byte, Array(line[..<index] + [byte] + line[index...])))
                all.append((index, byte, Array(line[..<index] + [byte] + line[(index + 1)...])))
            }
            return all
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `one byte of a message is lost, changed or too many`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let line = Self.message(&generator)
        #expect(JSONValue.parse(line)?["id"] == Self.id, "seed \(seed)")
        let text = String(decoding: line, as: UTF8.self)
        let member = try #require(text.firstRange(of: #""id":4711"#))
        let place = text.utf8.distance(from: text.startIndex, to: member.lowerBound)
        let end = place + Array(#""id":4711"#.utf8).count
        let method = try #require(text.firstRange(of: #""method":"tools/call""#))
        let known = max(place, text.utf8.distance(from: text.startIndex, to: method.upperBound))
        for (index, new, damaged) in Self.damages(of: line) where JSONValue.parse(damaged) == nil {
            let found = Self.texts(damaged)
            // What was done to the id itself is told by nobody.
            let isOwn = (place...end).contains(index)
            guard !isOwn else { continue }
            // Where a bracket was lost or is too many, what may be the message's end may be another's; and where what seems to
            // be a result comes before the method, nobody knows whether it is a request.
            let mayBeUnknown =
                index < known || new == UInt8(ascii: "}") || line[index] == UInt8(ascii: "{")
            #expect(
                found == [.integer(4711)] || (found.isEmpty && mayBeUnknown),
                "seed \(seed): \(String(decoding: damaged, as: UTF8.self)): \(found)")
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `a message is cut at every byte`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let line = Self.message(&generator)
        let text = String(decoding: line, as: UTF8.self)
        let member = try #require(text.firstRange(of: #""id":4711"#))
        let end = text.utf8.distance(from: text.startIndex, to: member.upperBound)
        for count in 0..<line.count {
            let wanted: [RequestID] = count > end ? [.integer(4711)] : []
            #expect(Self.texts(Array(line[..<count])) == wanted, "seed \(seed), \(count) bytes of \(text)")
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `however a line is divided, its ids are the same`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let line = Self.message(&generator)
        for (_, _, damaged) in Self.damages(of: line) where Int.random(in: 0..<8, using: &generator) == 0 {
            var parts = UnreadableLine(most: 10)
            var rest = damaged[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...9, using: &generator)
                parts.take(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            parts.finish()
            #expect(parts.ids == Self.texts(damaged), "seed \(seed)")
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `a batch with a damaged member has no wrong id, and each before it`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let before = Array(#"[{"jsonrpc":"2.0","id":1,"method":"a","params":{}},"#.utf8)
        let line = Self.message(&generator)
        let behind = Array(#",{"method":"b","id":3}]"#.utf8)
        for (_, _, damaged) in Self.damages(of: line) where JSONValue.parse(damaged) == nil {
            let found = Self.texts(before + damaged + behind)
            #expect(found.first == .integer(1), "seed \(seed): \(String(decoding: damaged, as: UTF8.self)): \(found)")
            #expect(
                found.allSatisfy { $0 != .integer(9) },
                "seed \(seed): \(String(decoding: damaged, as: UTF8.self)): \(found)")
        }
    }
}
