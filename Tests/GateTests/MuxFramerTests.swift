import Testing

@testable import Mux

@Suite struct MuxFramerTests {
    /// All messages that `framer` has by now.
    private func messages(_ framer: inout MuxFramer) throws(MuxViolation) -> [[UInt8]] {
        var found: [[UInt8]] = []
        while let message = try framer.next() { found.append(message) }
        return found
    }

    @Test func `every split of a stream gives the same messages`() throws {
        let expected = MuxReply.samples.prefix(4).map { Array($0.encoded()[4...]) }
        let stream = expected.flatMap(\.framed)
        for first in 0...stream.count {
            for second in first...stream.count {
                var framer = MuxFramer(limit: MuxProtocol.maximumReply)
                var found: [[UInt8]] = []
                for part in [stream[..<first], stream[first..<second], stream[second...]] {
                    framer.append(part)
                    found += try messages(&framer)
                }
                #expect(found == expected, "split at \(first) and \(second)")
                #expect(framer.isEmpty)
            }
        }
    }

    @Test func `a reader that takes what is wanted never takes a byte too many`() throws {
        let stream = MuxReply.samples.flatMap { $0.encoded() }
        for most in [1, 3, 1000] {
            var framer = MuxFramer(limit: MuxProtocol.maximumReply)
            #expect(framer.wanted == 4)
            var position = 0
            var count = 0
            while position < stream.count {
                let end = position + min(framer.wanted, most)
                framer.append(stream[position..<end])
                position = end
                // A whole message is there exactly when its last byte is.
                while try framer.next() != nil {
                    count += 1
                    #expect(framer.isEmpty)
                }
            }
            #expect(count == MuxReply.samples.count)
        }
    }

    @Test func `a length beyond the limit is refused as soon as it has arrived, and takes no memory`() throws {
        for length: UInt32 in [101, 1 << 20, 0x7FFF_FFFF, .max] {
            var framer = MuxFramer(limit: 100)
            framer.append([UInt8].fields(length))
            #expect(framer.wanted <= 100)
            #expect(throws: MuxViolation.tooLong(length)) { _ = try framer.next() }
        }
        var framer = MuxFramer(limit: 100)
        framer.append([UInt8](repeating: 0, count: 100).framed)
        #expect(try framer.next()?.count == 100)
    }

    @Test func `a message without room for its number is refused`() {
        for length: UInt32 in 0..<4 {
            var framer = MuxFramer(limit: 100)
            framer.append([UInt8].fields(length))
            #expect(throws: MuxViolation.truncated) { _ = try framer.next() }
        }
    }
}
