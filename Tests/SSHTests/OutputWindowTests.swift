import TestSupport
import Testing

@testable import SSH

@Suite("Output window")
struct OutputWindowTests {
    private func window(_ limit: Int, _ chunks: [String]) -> ExecOutput.Stream {
        var window = OutputWindow(limit: limit)
        for chunk in chunks { window.append(Array(chunk.utf8)) }
        return window.output()
    }

    private func marker(_ bytes: Int) -> String { "\n[… \(bytes) bytes left out …]\n" }

    @Test func `what fits is kept whole`() {
        #expect(window(10, []) == .init(text: "", bytes: 0, truncated: false))
        #expect(window(10, ["hello"]) == .init(text: "hello", bytes: 5, truncated: false))
        #expect(window(10, ["0123456789"]) == .init(text: "0123456789", bytes: 10, truncated: false))
        #expect(window(10, "0123456789".map(String.init)) == .init(text: "0123456789", bytes: 10, truncated: false))
        #expect(window(11, ["01234567", "89x"]) == .init(text: "0123456789x", bytes: 11, truncated: false))
    }

    @Test func `of more, the head and the tail are kept and the rest is counted`() {
        #expect(window(10, ["0123456789x"]) == .init(text: "01234\(marker(1))6789x", bytes: 11, truncated: true))
        #expect(window(11, ["0123456789xy"]) == .init(text: "012345\(marker(1))789xy", bytes: 12, truncated: true))
        let letters = (0..<1000).map { String(UnicodeScalar(UInt8(97 + $0 % 26))) }
        let expected = ExecOutput.Stream(
            text: "abcde\(marker(990))\(letters.suffix(5).joined())", bytes: 1000, truncated: true)
        #expect(window(10, letters) == expected, "byte by byte")
        #expect(window(10, [letters.joined()]) == expected, "at once")
        #expect(window(10, [letters[..<7].joined(), letters[7...].joined()]) == expected)
    }

    @Test(arguments: 0...3)
    func `tiny limits are no trap`(limit: Int) {
        let stream = window(limit, ["abc", "def"])
        #expect(stream.bytes == 6 && stream.truncated)
        #expect(stream.text.contains("\(6 - limit) bytes left out"))
    }

    @Test func `however it comes in chunks, the result is the same`() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<300 {
            let bytes = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let limit = Int.random(in: 0..<60, using: &generator)
            var whole = OutputWindow(limit: limit)
            whole.append(bytes)
            var pieces = OutputWindow(limit: limit)
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...20, using: &generator)
                pieces.append(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(whole.output() == pieces.output())
            #expect(whole.output().bytes == bytes.count)
            #expect(whole.output().truncated == (bytes.count > limit))
        }
    }

    @Test func `a character is not cut in half, and what its half would have been is counted as left out`() {
        // The head of a limit of 2n holds n bytes: it ends within the second character for n = 4, 5.
        for character in ["é", "漢", "🙂"] {
            let size = character.utf8.count
            let text = String(repeating: character, count: 40)
            for limit in 8...24 {
                let stream = window(limit, [text])
                #expect(!stream.text.contains("\u{FFFD}"), "\(character) \(limit)")
                let kept = (stream.text.utf8.count - marker(0).utf8.count) / size * size
                #expect(kept > limit - 2 * size && kept <= limit)
                let left = 40 * size - stream.text.filter { String($0) == character }.utf8.count
                #expect(stream.text.contains("[… \(left) bytes left out …]"), "\(stream.text)")
            }
        }
    }

    @Test func `bytes that are no UTF-8 become replacements, and break nothing`() {
        var window = OutputWindow(limit: 100)
        window.append([0x61, 0xFF, 0xC3, 0x62, 0xE6, 0xBC] as [UInt8])
        #expect(window.output() == .init(text: "a\u{FFFD}\u{FFFD}b\u{FFFD}", bytes: 6, truncated: false, lossy: true))
        var cut = OutputWindow(limit: 8)
        cut.append([UInt8](repeating: 0x80, count: 50))
        #expect(cut.output().bytes == 50 && cut.output().truncated)
    }

    @Test(arguments: [
        ("", ""), ("\n\n", ""), ("one", "one"), ("one\ntwo\n", "two"), ("one\r\ntwo\r\n\r\n", "two"),
        ("10%\r20%\r", "20%"), ("a\n  \n", "a"), ("\u{1B}[31mred\u{1B}[0m\u{7}\n", "[31mred[0m"), ("é漢🙂", "é漢🙂"),
    ])
    func `the last line is the last that says something`(output: String, line: String) {
        var window = OutputWindow(limit: 1000)
        window.append(Array(output.utf8))
        #expect(window.lastLine == line)
    }

    @Test func `the last line is bounded, whole characters, and the newest where the middle was left out`() {
        for padding in ["", "x", "xx"] {
            var window = OutputWindow(limit: 10_000)
            window.append(Array((padding + String(repeating: "漢", count: 1000)).utf8))
            #expect(!window.lastLine.isEmpty && window.lastLine.allSatisfy { $0 == "漢" })
            #expect(window.lastLine.utf8.count <= 400)
        }
        var window = OutputWindow(limit: 10)
        window.append(Array("first line\n".utf8))
        for number in 0..<100 { window.append(Array("\(number)\n".utf8)) }
        #expect(window.lastLine == "99")
    }
}
