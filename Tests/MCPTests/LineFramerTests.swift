import JSON
import TestSupport
import Testing

@testable import MCP

@Suite("Line framing")
struct LineFramerTests {
    private typealias TooLong = LineFramer.LineTooLong

    private func lines(_ framer: inout LineFramer, _ text: String) throws(LineFramer.LineTooLong) -> [String] {
        try framer.append(Array(text.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `lines end with a newline, with or without a carriage return`() throws {
        var framer = LineFramer(limit: 100)
        #expect(try lines(&framer, "a\nb\r\nc") == ["a", "b"])
        #expect(try lines(&framer, "c\r") == [])
        #expect(try lines(&framer, "\nd\n") == ["cc", "d"])
    }

    @Test func `empty lines are left out`() throws {
        var framer = LineFramer(limit: 100)
        #expect(try lines(&framer, "\n\r\n\n\na\n\n\r\n") == ["a"])
        #expect(try lines(&framer, " \n") == [" "], "a blank is not nothing")
    }

    @Test func `a carriage return within a line stays, one before the end goes`() throws {
        var framer = LineFramer(limit: 100)
        #expect(try lines(&framer, "a\rb\r\r\n\rc\n") == ["a\rb\r", "\rc"])
    }

    @Test func `bytes pass as they are, also the end of a slice`() throws {
        var framer = LineFramer(limit: 100)
        let buffer: [UInt8] = [9, 9, 0, 0xFF, 0xC3, 0x0A, 0x41, 9]
        #expect(try framer.append(buffer[2..<7]) == [[0, 0xFF, 0xC3]])
        #expect(try framer.append([0x0A]) == [[0x41]])
    }

    @Test func `a line of the limit passes, one byte more does not`() throws {
        for isSplit in [false, true] {
            var framer = LineFramer(limit: 10)
            let line = String(repeating: "x", count: 10)
            if isSplit {
                #expect(try lines(&framer, "xxxxx") == [])
                #expect(try lines(&framer, "xxxxx") == [])
                #expect(try lines(&framer, "\n") == [line])
            } else {
                #expect(try lines(&framer, line + "\n" + line + "\n") == [line, line])
            }
            #expect(throws: TooLong(limit: 10)) { try lines(&framer, line + "x\n") }
        }
    }

    @Test func `a line over the limit is refused before its end comes`() throws {
        var framer = LineFramer(limit: 10)
        #expect(try lines(&framer, "xxxxxxxxxx") == [])
        #expect(throws: TooLong(limit: 10)) { try lines(&framer, "x") }
        var other = LineFramer(limit: 10)
        #expect(throws: TooLong(limit: 10)) { try lines(&other, "ok\n" + String(repeating: "x", count: 11)) }
    }

    @Test func `the limit is a line's, not a chunk's`() throws {
        var framer = LineFramer(limit: 3)
        #expect(try lines(&framer, String(repeating: "abc\n", count: 1000)).count == 1000)
    }

    @Test func `wherever a stream is split, its lines are the same`() throws {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            let stream = (0..<Int.random(in: 0..<120, using: &generator)).map { _ in
                [0x0A, 0x0A, 0x0D, 0x61, 0x62, 0xC3][Int.random(in: 0..<6, using: &generator)] as UInt8
            }
            var whole = LineFramer(limit: 1000)
            let expected = try whole.append(stream[...])
            var framer = LineFramer(limit: 1000)
            var got: [[UInt8]] = []
            var rest = stream[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...min(7, rest.count), using: &generator)
                got += try framer.append(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(got == expected)
            // And what the lines are, told in another way.
            let parts = stream.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
            #expect(expected == parts.map { Array($0.last == 0x0D ? $0.dropLast() : $0) }.filter { !$0.isEmpty })
        }
    }
}
