import TestSupport
import Testing

@testable import JSON

@Suite("JSON writing")
struct JSONWriterTests {
    private func text(_ value: JSONValue) -> String { String(decoding: JSONWriter.bytes(of: value), as: UTF8.self) }

    @Test func `values are written compactly, members in their order`() {
        #expect(text(.null) == "null")
        #expect(
            text([true, false, 0, -5, .integer(.max), .integer(.min)])
                == "[true,false,0,-5,9223372036854775807,-9223372036854775808]")
        #expect(text(["z": 1, "a": [:], "m": [], "A": ["y": "x"]]) == #"{"z":1,"a":{},"m":[],"A":{"y":"x"}}"#)
    }

    @Test func `a replaced member keeps its place`() {
        var object: JSONObject = ["b": 1, "a": 2]
        object["b"] = 3
        object["c"] = 4
        #expect(text(.object(object)) == #"{"b":3,"a":2,"c":4}"#)
    }

    @Test func `what must be escaped is, and nothing else`() {
        #expect(
            text("\"\\/\u{8}\u{C}\n\r\t\u{0}\u{F}\u{10}\u{1E}\u{1F} \u{7F}\u{80}")
                == #""\"\\/\u0008\u000c\n\r\t\u0000\u000f\u0010\u001e\u001f "# + "\u{7F}\u{80}\"")
        #expect(text("é漢🙂\u{2028}\u{FEFF}") == "\"é漢🙂\u{2028}\u{FEFF}\"")
        #expect(text(.object(["a\"\n": 1])) == #"{"a\"\n":1}"#)
    }

    @Test func `a line never has a newline in it`() {
        for scalar in (0...0x3000).compactMap(Unicode.Scalar.init) {
            let bytes = JSONWriter.bytes(of: .string("a\(Character(scalar))b"))
            #expect(!bytes.contains { $0 < 0x20 }, "\(scalar.value)")
        }
    }

    @Test func `numbers come back as they were, and infinities are null`() {
        for number in [0.1, 1e300, -2.5e-8, 1.0 / 3, .greatestFiniteMagnitude, .leastNonzeroMagnitude] {
            #expect(JSONValue.parse(JSONWriter.bytes(of: .number(number))) == .number(number))
        }
        #expect(text([.number(.infinity), .number(-.infinity), .number(.nan)]) == "[null,null,null]")
    }

    @Test func `every text comes back as it was`() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array("ab\"\\/\n\r\t\u{0}\u{1}\u{1E}\u{7F}é漢🙂\u{301}\u{200D}{}[]:,".unicodeScalars)
        for _ in 0..<500 {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0..<40, using: &generator) {
                if let scalar = alphabet.randomElement(using: &generator) { scalars.append(scalar) }
            }
            let original = String(scalars)
            let back = JSONValue.parse(JSONWriter.bytes(of: .string(original)))?.string
            #expect(back.map { Array($0.utf8) } == Array(original.utf8))
        }
    }
}
