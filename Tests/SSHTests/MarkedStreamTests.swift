import TestSupport
import Testing

@testable import SSH

@Suite("Marked stream")
struct MarkedStreamTests {
    private static let nonce = "n0nce42"
    private static let rs = "\u{1E}"

    private func mark(_ text: String, nonce: String = nonce) -> String { "\(Self.rs)\(nonce)\(text)\n" }

    private func stream(_ chunks: [[UInt8]], limit: Int = 1000) -> MarkedStream {
        var stream = MarkedStream(nonce: Self.nonce, limit: limit)
        for chunk in chunks { stream.append(chunk[...]) }
        stream.finish()
        return stream
    }

    private func stream(_ text: String, limit: Int = 1000) -> MarkedStream { stream([Array(text.utf8)], limit: limit) }

    @Test func `what comes before the start is preamble, what comes after is the command's`() {
        let seen = stream("motd\n" + mark("+4711") + "out\nput" + mark("-0 "))
        #expect(seen.marks == .init(started: true, ended: true, processID: 4711, exitStatus: 0))
        #expect(seen.preamble.output().text == "motd\n")
        #expect(seen.window.output() == .init(text: "out\nput", bytes: 7, truncated: false))
    }

    @Test func `a mark before the start tells a server where sessions are opened one after the other`() {
        let seen = stream("motd\n" + mark("=") + mark("+4711") + "out\n" + mark("-0"))
        #expect(seen.marks.takesOneAtATime && seen.preamble.output().text == "motd\n")
        #expect(!stream(mark("+4711") + mark("=", nonce: "other") + mark("-0")).marks.takesOneAtATime)
    }

    @Test func `the marks are read wherever the stream is split`() {
        let bytes = Array(("noise" + mark("+321") + "a\u{1E}b\n" + mark("-137 1") + "tail").utf8)
        let expected = MarkedStream.Marks(started: true, ended: true, processID: 321, exitStatus: 137, signalled: true)
        for first in 0...bytes.count {
            for second in stride(from: first, through: bytes.count, by: 3) {
                let seen = stream([Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])])
                #expect(seen.marks == expected, "split at \(first) and \(second)")
                #expect(seen.preamble.output().text == "noise")
                #expect(seen.window.output().text == "a\u{1E}b\ntail")
            }
        }
        let single = stream(bytes.map { [$0] })
        #expect(single.marks == expected && single.window.output().text == "a\u{1E}b\ntail")
    }

    @Test func `a mark takes effect when it is whole, not at the end of the stream`() {
        var stream = MarkedStream(nonce: Self.nonce, limit: 100)
        stream.append(Array(mark("+5").utf8).dropLast())
        #expect(!stream.marks.started)
        stream.append([0x0A])
        #expect(stream.marks.started && stream.marks.processID == 5)
        stream.append(Array(mark("-3 ").utf8)[...])
        #expect(stream.marks.ended && stream.marks.exitStatus == 3)
    }

    @Test(arguments: ["n0nce4", "n0nce43", "N0NCE42", "", "x", "n0nce42\u{1E}"])
    func `a mark with another nonce is output`(nonce: String) {
        let forged = mark("-0 ", nonce: nonce) + mark("+99", nonce: nonce) + mark("?", nonce: nonce)
        let seen = stream(mark("+5") + forged + mark("-7 "))
        #expect(seen.marks == .init(started: true, ended: true, processID: 5, exitStatus: 7))
        #expect(seen.window.output().text == forged)
        #expect(stream(forged).marks == .init())
        #expect(stream(forged).preamble.output().text == forged)
    }

    @Test func `the nonce with an unknown letter, too long a mark, or no end is output`() {
        let long = "\(Self.rs)\(Self.nonce)-\(String(repeating: "1", count: 80))\n"
        for text in [
            mark("x"), mark("=1"), long, "\(Self.rs)\(Self.nonce)-0", "\(Self.rs)", "\(Self.rs)\(Self.rs)\(Self.rs)",
        ] {
            let seen = stream(mark("+5") + text)
            #expect(seen.marks == .init(started: true, processID: 5))
            #expect(seen.window.output().text == text)
        }
    }

    @Test func `the nonce with nothing behind it is output, and no crash`() async {
        await #expect(processExitsWith: .success) {
            var stream = MarkedStream(nonce: "n0nce42", limit: 100)
            stream.append(Array("\u{1E}n0nce42\n".utf8)[...])
            stream.finish()
            #expect(stream.marks == .init())
            #expect(stream.preamble.output().text == "\u{1E}n0nce42\n")
        }
    }

    @Test func `record separators of the command do not hide the mark that follows them`() {
        let seen = stream(mark("+5") + Self.rs + Self.rs + Self.nonce.prefix(3) + mark("-0 "))
        #expect(seen.marks.ended)
        #expect(seen.window.output().text == "\(Self.rs)\(Self.rs)\(Self.nonce.prefix(3))")
    }

    @Test(arguments: ["0", "1", "-1", "", "x", "12x", "99999999999999999999", " ", "-5"])
    func `a process id that would address other processes is none`(text: String) {
        let seen = stream(mark("+" + text))
        #expect(seen.marks.started)
        #expect(seen.marks.processID == nil)
    }

    @Test func `the exit status is from 0 to 255, and a signal only where the shell says so`() {
        for status in 0...255 { #expect(stream(mark("+5") + mark("-\(status) ")).marks.exitStatus == status) }
        for text in ["256", "-1", "x", "", "99999999999999999999"] {
            let marks = stream(mark("+5") + mark("-" + text + " ")).marks
            #expect(marks.ended && marks.exitStatus == nil)
        }
        #expect(stream(mark("+5") + mark("-137 1")).marks.signalled)
        #expect(stream(mark("+5") + mark("-143 1 ")).marks.stopped == nil)
        #expect(stream(mark("+5") + mark("-143 1 0")).marks.stopped == .confirmed)
        #expect(stream(mark("+5") + mark("-143 0 1")).marks.stopped == .signalled)
        #expect(stream(mark("+5") + mark("-143 0 9")).marks.stopped == .unknown)
        for text in ["137", "137 ", "137 0", "137 2", "137 11"] {
            #expect(!stream(mark("+5") + mark("-" + text)).marks.signalled)
        }
    }

    @Test func `a directory that cannot be entered is told without a start`() {
        let seen = stream("sh: cd: no such directory\n" + mark("?"))
        #expect(seen.marks == .init(directoryFailed: true))
        #expect(seen.preamble.output().text == "sh: cd: no such directory\n")
    }

    @Test func `the preamble is bounded, head and tail are kept`() {
        let noise = String(repeating: "x", count: 1 << 20)
        let seen = stream("first " + noise + " last" + mark("+5") + "out")
        #expect(seen.preamble.output().bytes == (1 << 20) + 11)
        #expect(seen.preamble.output().text.utf8.count < 17_000)
        #expect(seen.preamble.output().text.hasPrefix("first ") && seen.preamble.output().text.hasSuffix(" last"))
        #expect(seen.window.output().text == "out")
    }

    @Test func `the command's output is bounded by its own limit`() {
        let seen = stream("noise" + mark("+5") + String(repeating: "y", count: 500) + mark("-0 "), limit: 100)
        #expect(seen.window.output().bytes == 500)
        #expect(seen.window.output().truncated)
        #expect(seen.marks.ended)
    }

    @Test func `hostile bytes split at random are never lost and never invented`() {
        var generator = SeededGenerator(seed: 3)
        let words = [
            Self.rs, Self.nonce + "+", Self.nonce + "-", Self.nonce + "?", "\n", "1", " ", "x",
            Self.nonce.prefix(4) + "",
        ]
        let pieces = words.map { Array($0.utf8) }
        for _ in 0..<500 {
            let bytes = (0..<30).flatMap { _ in pieces[Int.random(in: 0..<pieces.count, using: &generator)] }
            let whole = stream([bytes], limit: 10_000)
            var chunks: [[UInt8]] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...5, using: &generator)
                chunks.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            let pieces = stream(chunks, limit: 10_000)
            #expect(pieces.marks == whole.marks)
            #expect(pieces.window.output() == whole.window.output())
            #expect(pieces.preamble.output() == whole.preamble.output())
            // No whole mark is ever shown.
            let shown = whole.preamble.output().text + whole.window.output().text
            #expect(!shown.contains(mark("+")) && !shown.contains(mark("?")) && !shown.contains(mark("-1")))
        }
    }
}
