import FoundationEssentials
import TestSupport
import Testing

@testable import JSON

@Suite("JSON reading: bounds, mistakes, and another reader")
struct JSONReaderTests {
    private func mistake(_ text: String) -> JSONMistake? {
        do throws(JSONMistake) {
            _ = try JSONReader.read(Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ("", 0, "a value is expected"), ("[1,]", 2, "no comma may stand before \"]\""),
        ("{\"a\":1,}", 6, "no comma may stand before \"}\""),
        ("{\"a\":1,\"b\":2,\"a\":3}", 13, "a second member \"a\""),
        ("[1 2]", 3, "\",\" or \"]\" is expected"), ("{\"a\" 1}", 5, "\":\" is expected"),
        ("{\"a\":1 \"b\"", 7, "\",\" or \"}\" is expected"), ("{a:1}", 1, "a name in double quotes is expected"),
        ("[tru]", 1, "\"tru\" is no value; text stands in double quotes"), ("[", 1, "a value is expected"),
        ("[1", 2, "\"]\" is missing"), ("{\"a\":1 ", 7, "\"}\" is missing"),
        ("[1,]]", 2, "no comma may stand before \"]\""),
        ("[1, // x\n2]", 4, "JSON has no comments"), ("{# x\n}", 1, "JSON has no comments"),
        ("\"ab", 0, "this quote is not closed on its line"), ("[\"ab\n\"]", 1, "this quote is not closed on its line"),
        ("[\"a\tb\"]", 3, "a control character in a string"),
        ("\"\\q\"", 2, "an escape that JSON does not have"), ("\"\\u12\"", 5, "four hexadecimal digits were expected"),
        ("\"x\\ud800\"", 3, "half of a surrogate pair"), ("\"\\ude42\"", 2, "half of a surrogate pair"),
        ("-", 1, "a digit was expected"), ("1e999", 0, "a number beyond what a double holds"),
        ("{} {}", 3, "nothing may follow the value"), ("\"\\", 2, "the text ends within an escape"),
    ])
    func `a mistake is named with its place`(text: String, offset: Int, what: String) {
        #expect(mistake(text) == JSONMistake(offset: offset, what: what))
    }

    @Test func `the place of a mistake is told by line and column`() {
        for (text, line, column) in [("", 1, 1), ("[\n 1,\n  x]", 3, 3), ("[1,\n\n", 3, 1), ("[\"é\" x]", 1, 7)] {
            let place = mistake(text)?.position(in: Array(text.utf8))
            #expect(place.map { [$0.line, $0.column] } == [line, column], "\(text)")
        }
    }

    @Test func `members that come twice are told by their paths, and the first counts`() throws {
        for (text, value, repeats) in [
            ("{}", [:], []), (#"{"a": 1, "a": 2}"#, ["a": 1], ["a"]),
            (
                #"{"a": [0, {"b": 1, "\u0062": [2], "b": 3}], "c": {"a": 1}}"#, ["a": [0, ["b": 1]], "c": ["a": 1]],
                ["a[1].b", "a[1].b"]
            ),
            (#"[{"é": 1, "e\u0301": 2}]"#, [["é": 1, "e\u{301}": 2]], []),
            (#"{"a": {"b": 1}, "a": {"c": 1, "c": 2}}"#, ["a": ["b": 1]], ["a", "a.c"]),
        ] as [(String, JSONValue, [String])] {
            let read = try JSONReader.readNotingRepeats(Array(text.utf8))
            #expect(read.value == value && read.repeats == repeats, "\(text): \(read)")
        }
    }

    @Test func `depth, values and numbers are bounded`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(mistake(nested(512)) == nil)
        #expect(mistake(nested(513))?.what == "nested more than 512 deep")
        #expect(mistake(String(repeating: "{\"a\":", count: 10_000))?.what == "nested more than 512 deep")
        func zeros(_ count: Int) -> String { "[" + String(repeating: "0,", count: count - 1) + "0]" }
        #expect(mistake(zeros(JSONReader.maximumValues - 1)) == nil)
        #expect(mistake(zeros(JSONReader.maximumValues))?.what == "more than 262144 values")
        #expect(mistake(String(repeating: "9", count: 1024))?.what == "a number beyond what a double holds")
        #expect(mistake("0." + String(repeating: "9", count: 1022)) == nil)
        #expect(mistake(String(repeating: "1", count: 1 << 20))?.what == "a number of more than 1024 characters")
    }

    @Test func `16 MiB of anything are read or refused`() throws {
        let size = 16 << 20
        func text(_ piece: String, _ before: String = "", _ after: String = "") -> [UInt8] {
            Array((before + String(repeating: piece, count: size / piece.utf8.count) + after).utf8)
        }
        #expect(try JSONReader.read(text("x", "\"", "\"")).string?.utf8.count == size)
        #expect(try JSONReader.read(text(" ", "[", "]")) == [])
        for bytes in [
            text("0,", "[", "0]"), text("[", ""), text("{\"a\":", ""), text("9", ""), text("\"", ""),
            text("[],", "[", "[]]"), text("\"\",", "[", "0]"), text("\u{0}", "\""), text("é", "", "\""),
        ] {
            #expect(throws: JSONMistake.self) { try JSONReader.read(bytes) }
        }
    }

    // MARK: Beside FoundationEssentials' decoder

    @Test func `valid texts are read as another reader reads them`() throws {
        let seed: UInt64 = 20_260_728
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<1000 {
            var written = ""
            let value = random(depth: 0, &generator, &written)
            #expect(try JSONReader.read(Array(written.utf8)) == value, "seed \(seed): \(written)")
            let other = try JSONDecoder().decode(Decoded.self, from: Data(written.utf8))
            #expect(Decoded(value) == other, "seed \(seed): \(written)")
            // And what we write is read back, by us and by the other.
            let bytes = JSONWriter.bytes(of: value)
            #expect(try JSONReader.read(bytes) == value)
            #expect(try JSONDecoder().decode(Decoded.self, from: Data(bytes)) == other)
        }
    }

    @Test func `what is made of a valid text by chance is never taken where the other reader refuses it`() {
        let seed: UInt64 = 8259
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            var written = ""
            _ = random(depth: 0, &generator, &written)
            var bytes = Array(written.utf8)
            for _ in 0...Int.random(in: 0...2, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0...3, using: &generator) {
                case 0: bytes.remove(at: place)
                case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 2: bytes.insert(Array("[]{}\",:\\0e-.tn".utf8).randomElement(using: &generator) ?? 0, at: place)
                default: bytes.append(contentsOf: bytes[place...].prefix(8))
                }
            }
            guard let value = try? JSONReader.read(bytes) else { continue }
            let other = try? JSONDecoder().decode(Decoded.self, from: Data(bytes))
            #expect(other == Decoded(value), "seed \(seed): \(bytes)")
        }
    }

    private func random(
        depth: Int, _ generator: inout SeededGenerator, _ text: inout String
    ) -> JSONValue {
        func blank() {
            text += ["", "", " ", "\t", "\r", "  "].randomElement(using: &generator) ?? ""
        }
        blank()
        defer { blank() }
        switch Int.random(in: 0...(depth < 4 ? 7 : 5), using: &generator) {
        case 0:
            text += "null"
            return .null
        case 1:
            let truth = Bool.random(using: &generator)
            text += truth ? "true" : "false"
            return .bool(truth)
        case 2:
            let integer =
                Int64.random(in: .min ... .max, using: &generator) >> Int64.random(in: 0...63, using: &generator)
            text += "\(integer)"
            return .integer(integer)
        case 3:
            let number = Double(Int.random(in: -1_000_000...1_000_000, using: &generator)) / 1024 + 1 / 4096
            text += "\(number)"
            return .number(number)
        case 4, 5: return .string(randomString(&generator, &text))
        case 6:
            text += "["
            var elements: [JSONValue] = []
            for index in 0..<Int.random(in: 0...4, using: &generator) {
                if index > 0 { text += "," }
                elements.append(random(depth: depth + 1, &generator, &text))
            }
            if elements.isEmpty { blank() }
            text += "]"
            return .array(elements)
        default:
            text += "{"
            var object = JSONObject()
            for index in 0..<Int.random(in: 0...4, using: &generator) {
                text += index > 0 ? ", \"\(index)" : "\"\(index)"
                // A name of its own, whatever chance makes of the rest.
                var rest = ""
                let name = "\(index)" + randomString(&generator, &rest)
                text += String(rest.dropFirst())
                blank()
                text += ":"
                object[name] = random(depth: depth + 1, &generator, &text)
            }
            text += "}"
            return .object(object)
        }
    }

    private func randomString(_ generator: inout SeededGenerator, _ text: inout String) -> String {
        var value = ""
        text += "\""
        for _ in 0..<Int.random(in: 0...8, using: &generator) {
            switch Int.random(in: 0...4, using: &generator) {
            case 0:
                let (escape, meaning) =
                    [
                        ("\\\"", "\""), ("\\\\", "\\"), ("\\/", "/"), ("\\b", "\u{8}"), ("\\f", "\u{C}"),
                        ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\\u0000", "\0"), ("\\u00Df", "ß"),
                        ("\\ud83d\\uDE42", "🙂"),
                    ].randomElement(using: &generator) ?? ("", "")
                text += escape
                value += meaning
            case 1:
                let piece = ["é", "漢", "🙂", "\u{7F}", "\u{2028}", "\u{FEFF}"].randomElement(using: &generator) ?? ""
                text += piece
                value += piece
            default:
                let piece = ["a", "Z", "0", " ", "{", "]", ","].randomElement(using: &generator) ?? ""
                text += piece
                value += piece
            }
        }
        text += "\""
        return value
    }
}

/// What FoundationEssentials' decoder makes of a text, without the order of members.
private indirect enum Decoded: Equatable, Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case string([UInt8])
    case array([Decoded])
    case object([String: Decoded])

    init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let truth): self = .bool(truth)
        case .integer(let integer): self = .number(Double(integer))
        case .number(let number): self = .number(number)
        case .spelled(let text): self = .number(Double(text) ?? .nan)
        case .string(let text): self = .string(Array(text.utf8))
        case .array(let elements): self = .array(elements.map(Decoded.init))
        case .object(let object), .encoded(let object):
            self = .object(Dictionary(object.members.map { ($0.name, Decoded($0.value)) }) { $1 })
        }
    }

    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .null
        } else if let truth = try? single.decode(Bool.self) {
            self = .bool(truth)
        } else if let number = try? single.decode(Double.self) {
            self = .number(number)
        } else if let text = try? single.decode(String.self) {
            self = .string(Array(text.utf8))
        } else if let elements = try? single.decode([Decoded].self) {
            self = .array(elements)
        } else {
            self = .object(try single.decode([String: Decoded].self))
        }
    }
}
