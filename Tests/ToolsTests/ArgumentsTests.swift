import JSON
import MCP
import TestSupport
import Testing

@testable import Tools

@Suite("Tool arguments")
struct ArgumentsTests {
    private let known = ["text", "count", "env"]

    private func read<Value>(_ values: JSONObject, _ body: (Arguments) throws -> Value) throws -> Value {
        try body(try Arguments(values, tool: "ssh_x", known: known))
    }

    /// The sentence with which arguments are refused.
    private func mistake<Value>(_ values: JSONObject, _ body: (Arguments) throws -> Value) -> String? {
        do {
            _ = try read(values, body)
            return nil
        } catch {
            return (error as? Arguments.Mistake)?.sentence
        }
    }

    @Test func `an unknown argument is named, with those that there are`() {
        #expect(
            mistake(["text": "x", "texts": 1]) { _ in }
                == #"ssh_x has no argument "texts"; its arguments are: "text", "count", "env"."#)
        do throws(Arguments.Mistake) {
            _ = try Arguments(["a": 1], tool: "ssh_y", known: [])
            Issue.record("taken")
        } catch {
            #expect(error.sentence == #"ssh_y has no argument "a"; its arguments are: none."#)
        }
        let long = mistake([String(repeating: "x", count: 10_000): 1]) { _ in }
        #expect((long?.utf8.count ?? 0) < 300)
    }

    @Test(arguments: [("0", 0), ("7", 7), ("644", 0o644), ("0644", 0o644), ("000777", 0o777)])
    func `a mode is octal`(text: String, mode: Int) throws {
        #expect(try read(["text": .string(text)]) { try $0.mode("text") } == UInt32(mode))
    }

    @Test(arguments: [
        "4755", "2755", "1777", "1000", "06755", "7777", "10644", "100644", "177777", "777777777777", "0000004755",
    ])
    func `a mode above 0777 is refused`(text: String) {
        #expect(mistake(["text": .string(text)]) { try $0.mode("text") }?.contains("at most \"0777\"") == true)
    }

    @Test(arguments: ["", "8", "+644", "-1", "0o644", "u+s", " 644", "6 44", "9999", "0x1ff", "00000000000000004755"])
    func `a mode that is no octal number is refused`(text: String) {
        #expect(mistake(["text": .string(text)]) { try $0.mode("text") }?.contains("must be octal") == true)
    }

    @Test func `a string is taken as it is; null is absent`() throws {
        #expect(try read(["text": " é\n"]) { try $0.string("text") } == " é\n")
        #expect(try read(["text": ""]) { try $0.string("text") } == "")
        #expect(try read(["text": .null]) { try $0.string("text") } == nil)
        #expect(try read([:]) { try $0.string("text") } == nil)
    }

    @Test func `what is no string is named with its type`() {
        for (value, type) in [
            (1, "an integer"), (true, "a boolean"), ([], "an array"), ([:], "an object"), (.number(1.5), "a number"),
        ]
            as [(JSONValue, String)]
        {
            #expect(
                mistake(["text": value]) { try $0.string("text") }
                    == #"ssh_x: argument "text" must be a string, not \#(type)."#)
        }
        #expect(
            mistake(["text": "a\0b"]) { try $0.string("text") }
                == #"ssh_x: argument "text" must not contain a NUL character."#)
    }

    @Test func `a required string must be there and say something`() throws {
        #expect(
            mistake([:]) { try $0.requiredString("text") }
                == #"ssh_x: argument "text" is missing; it must be a string."#)
        #expect(
            mistake(["text": .null]) { try $0.requiredString("text") }
                == #"ssh_x: argument "text" is missing; it must be a string."#)
        #expect(
            mistake(["text": ""]) { try $0.requiredString("text") } == #"ssh_x: argument "text" must not be empty."#)
        #expect(try read(["text": "x"]) { try $0.requiredString("text") } == "x")
    }

    @Test func `a whole number in its range is taken, also when written as 2.0`() throws {
        func count(_ value: JSONValue) throws -> Int? {
            try read(["count": value]) { try $0.integer("count", in: 1...600, unit: "seconds") }
        }
        #expect(try count(1) == 1)
        #expect(try count(600) == 600)
        #expect(try count(.number(2.0)) == 2)
        #expect(try count(.null) == nil)
        for (value, got) in [
            (0, "0"), (601, "601"), (-1, "-1"), (.integer(.min), "-9223372036854775808"), (.number(1.5), "1.5"),
            (.number(1e300), "1e+300"),
            (.number(.infinity), "inf"), (.number(.nan), "nan"), ("30", "a string"), (true, "a boolean"),
            ([], "an array"),
        ] as [(JSONValue, String)] {
            #expect(
                mistake(["count": value]) { try $0.integer("count", in: 1...600, unit: "seconds") }
                    == #"ssh_x: argument "count" must be a whole number of seconds from 1 to 600, not \#(got)."#)
        }
    }

    @Test func `a whole number that is greater than any offset is a mistake that names it`() throws {
        func offset(_ value: JSONValue) throws -> Int? {
            try read(["count": value]) { try $0.integer("count", in: 0...Int.max, unit: "bytes") }
        }
        for whole in [1 << 31, 1 << 53, 1 << 62, Int64.max] { #expect(try offset(.integer(whole)) == Int(whole)) }
        for value in [0x1p63, 1e19, 1e300] {
            let told = mistake(["count": .number(value)]) { try $0.integer("count", in: 0...Int.max, unit: "bytes") }
            #expect(
                told?.hasPrefix(
                    #"ssh_x: argument "count" must be a whole number of bytes from 0 to 9223372036854775807, not "#)
                    == true, "\(value): \(told ?? "taken")")
        }
    }

    @Test func `variables are an object of strings with shell names`() throws {
        func environment(_ value: JSONValue) throws -> [String: String] {
            try read(["env": value]) { try $0.environment("env") }
        }
        #expect(try environment(.null) == [:])
        #expect(try environment([:]) == [:])
        #expect(try environment(["A": "", "_b9": "x\n'\"$=", "aZ": "é"]) == ["A": "", "_b9": "x\n'\"$=", "aZ": "é"])
        for name in ["", "1a", "a-b", "a b", "a=b", "é", "a\n", "a;id", "$x", "a\u{301}"] {
            #expect(
                mistake(["env": [name: "x"]]) { try $0.environment("env") }?.contains(
                    #"has the name "\#(name)", which is no variable name"#) == true)
        }
        for value in [1, .null, true, [], "a\0"] as [JSONValue] {
            #expect(
                mistake(["env": ["A": value]]) { try $0.environment("env") }
                    == #"ssh_x: argument "env" must give "A" a string without NUL."#)
        }
        for (value, type) in [([], "an array"), ("A=1", "a string"), (1, "an integer")] as [(JSONValue, String)] {
            #expect(
                mistake(["env": value]) { try $0.environment("env") }
                    == #"ssh_x: argument "env" must be an object of strings, not \#(type)."#)
        }
    }
}
