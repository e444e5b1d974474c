import Testing

@testable import SFTP

@Suite("When a directory is searched for leftovers")
struct SweepsTests {
    private static let here = Array("/srv".utf8)

    @Test func `it is searched once for many writes, and again where that came to nothing`() {
        let sweeps = Sweeps()
        #expect(sweeps.begin(Self.here, always: false))
        #expect(!sweeps.begin(Self.here, always: false))
        #expect(sweeps.begin(Array("/tmp".utf8), always: false))
        sweeps.end(Self.here, isDone: false)
        #expect(sweeps.begin(Self.here, always: false))
        sweeps.end(Self.here, isDone: true)
        #expect(!sweeps.begin(Self.here, always: false))
        #expect(sweeps.begin(Self.here, always: true))
    }

    @Test func `few are searched at once, and what many directories were searched for is forgotten`() {
        let sweeps = Sweeps()
        let places = (0..<100).map { Array("/\($0)".utf8) }
        #expect(places.prefix(8).count { sweeps.begin($0, always: true) } == 4)
        for place in places.prefix(4) { sweeps.end(place, isDone: true) }
        for place in places.dropFirst(4) {
            #expect(sweeps.begin(place, always: false))
            sweeps.end(place, isDone: true)
        }
        #expect(places.count { !sweeps.begin($0, always: false) } >= 64)
    }
}
