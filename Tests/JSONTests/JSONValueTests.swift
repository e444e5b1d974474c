import Dispatch
import Testing

@testable import JSON

@Suite("JSON reading")
struct JSONValueTests {
    private func parse(_ text: String) -> JSONValue? { JSONValue.parse(Array(text.utf8)) }

    @Test func `every kind of value is read`() {
        #expect(parse("null") == .null)
        #expect(parse("true") == true)
        #expect(parse(" false ") == false)
        #expect(parse("\"\"") == "")
        #expect(parse("[]") == [])
        #expect(parse("{}") == [:])
        #expect(parse("[null,[true],{\"a\":[1]},\"b\",-2]") == [.null, [true], ["a": [1]], "b", -2])
        #expect(parse("\t{\r\n\"a\" : [ 1 , 2 ] }\n") == ["a": [1, 2]])
    }

    @Test func `numbers are integers where they are whole and fit, else doubles`() {
        #expect(parse("0") == 0)
        #expect(parse("-0") == 0 || parse("-0") == .number(-0.0))
        #expect(parse("9223372036854775807") == .integer(.max))
        #expect(parse("-9223372036854775808") == .integer(.min))
        #expect(parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
        #expect(parse("1.0") == 1)
        #expect(parse("1e3") == 1000)
        #expect(parse("1.5") == .number(1.5))
        #expect(parse("-2.5e-3") == .number(-0.0025))
    }

    @Test(arguments: [
        "", " ", "nul", "True", "{", "}", "[", "]", "{]", "[}", "\"", "\"a", "'a'", "{a:1}", "{\"a\"}", "{\"a\":}",
        "{\"a\" 1}",
        "{1:2}", "[1 2]", "[,]", "[1,]", "[1,,2]", "{\"a\":1,}", "{,}", "1 2", "{} {}", "{}x", "01", "+1", ".5", "1.",
        "1e", "--1", "0x10", "NaN", "Infinity",
        "-",
        "1e999", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"a\tb\"", "\"a\nb\"", "// c\n1", "/* c */ 1", "\u{0}",
        "{\"a\":1}\u{0}", "\u{FEFF}{", "\"\u{1}\"",
    ])
    func `a text that is not one JSON value is none`(text: String) {
        #expect(parse(text) == nil)
    }

    @Test func `escapes are read`() {
        #expect(parse(#""\"\\\/\b\f\n\r\t""#) == .string("\"\\/\u{8}\u{C}\n\r\t"))
        #expect(parse(#""\u0000\u001e\u00e9\u6f22""#) == .string("\u{0}\u{1E}é漢"))
        #expect(parse(#""\ud83d\ude42""#) == "🙂")
        #expect(parse("\"é漢🙂\u{7F}\u{2028}\"") == .string("é漢🙂\u{7F}\u{2028}"))
        #expect(parse(#"{"\u0061":1}"#) == ["a": 1])
    }

    @Test(arguments: [
        #""\ud83d""#, #""\ude42""#, #""\ud83dx""#, #""\ud83d\u0041""#, #""\ude42\ud83d""#, #"{"\ud800":1}"#,
    ])
    func `a lone surrogate is no text`(text: String) {
        #expect(parse(text) == nil)
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0x80, 0x22], [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D],
            [0xFF],
            [0x7B, 0x7D, 0xFF],
        ] as [[UInt8]])
    func `bytes that are not UTF-8 are none`(bytes: [UInt8]) {
        #expect(JSONValue.parse(bytes) == nil)
    }

    @Test(
        arguments: [
            // {} as UTF-16 and UTF-32, in both byte orders, with a byte order mark and without.
            [0x7B, 0, 0x7D, 0], [0, 0x7B, 0, 0x7D], [0xFF, 0xFE, 0x7B, 0, 0x7D, 0], [0xFE, 0xFF, 0, 0x7B, 0, 0x7D],
            [0x7B, 0, 0, 0, 0x7D, 0, 0, 0], [0, 0, 0, 0x7B, 0, 0, 0, 0x7D],
            [0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0, 0x7D, 0, 0, 0], [0, 0, 0xFE, 0xFF, 0, 0, 0, 0x7B, 0, 0, 0, 0x7D],
        ] as [[UInt8]])
    func `JSON in another encoding is none`(bytes: [UInt8]) {
        #expect(JSONValue.parse(bytes) == nil)
    }

    @Test func `a byte order mark may stand before the value, RFC 8259 section 8.1`() {
        #expect(JSONValue.parse([0xEF, 0xBB, 0xBF, 0x7B, 0x7D]) == [:])
        #expect(JSONValue.parse([0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF, 0x7B, 0x7D]) == nil)
        // What it must not become is part of a name or text.
        #expect(parse("\"\u{FEFF}a\"") == .string("\u{FEFF}a"))
    }

    @Test(arguments: [500, 10_000, 1_000_000])
    func `deep nesting is read or refused, and never a crash, on the small stack of a queue`(depth: Int) async {
        await #expect(processExitsWith: .success) { [depth] in
            await withCheckedContinuation { continuation in
                DispatchQueue(label: "reader").async {
                    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
                        let opening = String(repeating: open, count: depth / close.count)
                        let closing = String(repeating: close, count: depth / close.count)
                        let value = JSONValue.parse(Array((opening + "1" + closing).utf8))
                        #expect((value != nil) == (depth <= 512), "\(open)")
                        #expect(JSONValue.parse(Array(opening.utf8)) == nil)
                        // What can be read can be written, too.
                        if let value {
                            #expect(JSONWriter.bytes(of: value).count == opening.utf8.count + 1 + closing.utf8.count)
                        }
                    }
                    continuation.resume()
                }
            }
        }
    }

    @Test func `members come in the order in which they were written, and none twice`() throws {
        let value = try #require(parse(#"{"b":1,"a":2,"c":{"a":3}}"#))
        #expect(value.object?.members.map(\.name) == ["b", "a", "c"])
        for text in [#"{"a":1,"a":1}"#, #"{"a":1,"\u0061":2}"#, #"[{"b":0,"a":1,"c":0,"a":2}]"#] {
            #expect(parse(text) == nil)
        }
    }

    @Test func `an object's members are found, replaced, appended and removed by name`() {
        var object: JSONObject = ["a": 1, "b": 2]
        #expect(object["a"] == 1 && object["c"] == nil)
        object["a"] = 5
        object["c"] = .null
        #expect(object.members.map(\.name) == ["a", "b", "c"])
        #expect(object["a"] == 5)
        #expect(object["c"] == .null, "null is a value")
        object["b"] = nil
        object["d"] = nil
        #expect(object.members.map(\.name) == ["a", "c"])
    }

    @Test func `types are named as a sentence needs them`() {
        let values: [JSONValue] = [.null, true, 1, .number(1.5), "x", [], [:]]
        #expect(
            values.map(\.typeName) == [
                "null", "a boolean", "an integer", "a number", "a string", "an array", "an object",
            ])
        #expect(values.compactMap(\.string) == ["x"])
        #expect(values.compactMap(\.object) == [[:]])
    }
}
