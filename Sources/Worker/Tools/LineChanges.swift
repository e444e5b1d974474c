internal import Threads

/// Which lines of one text take the place of which of another: Myers' greedy search for the fewest removals and additions
/// ("An O(ND) Difference Algorithm and Its Variations", 1986), within a bound.
enum LineChanges {
    /// Lines `old` of the one are replaced by lines `new` of the other; one of the two may be empty.
    struct Change: Equatable {
        var old: Range<Int>
        var new: Range<Int>
    }

    /// Removals and additions together; the search keeps two bytes for the square of it, 32 MiB at most.
    static let maximumChanges = 4_000
    /// Comparisons of two lines, and steps beside them: some tenths of a second.
    private static let maximumSteps = 50_000_000

    /// The changes, in the order of the lines.
    /// - Returns: nil where the texts differ by more than the bounds allow, or the call is cancelled.
    static func between(_ old: [Int32], _ new: [Int32], _ cancellation: Cancellation? = nil) -> [Change]? {
        // Of each diagonal `k` (lines of `old` less lines of `new`): how far into `old` the furthest path on it comes. The
        // paths with `d` changes lie on every second diagonal from -d to d; index `(k + d) / 2`.
        var rounds: [[Int32]] = []
        var steps = 0
        var furthest: [Int32] = []
        for changes in 0...min(maximumChanges, old.count + new.count) {
            if cancellation?.isCancelled == true { return nil }
            let before = furthest
            furthest = [Int32](repeating: 0, count: changes + 1)
            for index in 0...changes {
                let diagonal = 2 * index - changes
                var x = start(index, changes, before)
                let first = x
                var y = x - diagonal
                while x < old.count, y < new.count, old[x] == new[y] {
                    x += 1
                    y += 1
                }
                steps += x - first + 1
                furthest[index] = Int32(x)
                if x >= old.count, y >= new.count {
                    rounds.append(furthest)
                    return path(rounds, old.count, new.count)
                }
            }
            guard steps <= maximumSteps else { return nil }
            rounds.append(furthest)
        }
        return nil
    }

    /// Where the path on a diagonal begins this round: below or right of the better of its neighbours of the round before.
    private static func start(_ index: Int, _ changes: Int, _ before: [Int32]) -> Int {
        if changes == 0 { return 0 }
        // From the diagonal above by an addition, from the one below by a removal.
        if isAddition(index, changes, before) { return Int(before[index]) }
        return Int(before[index - 1]) + 1
    }

    private static func isAddition(_ index: Int, _ changes: Int, _ before: [Int32]) -> Bool {
        index == 0 || (index != changes && before[index - 1] < before[index])
    }

    /// The changes on the way back from the ends of both texts.
    private static func path(_ rounds: [[Int32]], _ oldCount: Int, _ newCount: Int) -> [Change] {
        var changes: [Change] = []
        var (x, y) = (oldCount, newCount)
        for round in stride(from: rounds.count - 1, to: 0, by: -1) {
            let index = (x - y + round) / 2
            let before = rounds[round - 1]
            let isAddition = isAddition(index, round, before)
            let from = isAddition ? index : index - 1
            let fromX = Int(before[from])
            let fromY = fromX - (2 * from - (round - 1))
            let change =
                isAddition
                ? Change(old: fromX..<fromX, new: fromY..<(fromY + 1))
                : Change(old: fromX..<(fromX + 1), new: fromY..<fromY)
            add(change, to: &changes)
            (x, y) = (fromX, fromY)
        }
        return changes.reversed()
    }

    /// Puts a change before those found so far; what touches is one.
    private static func add(_ change: Change, to changes: inout [Change]) {
        if let last = changes.last, last.old.lowerBound == change.old.upperBound,
            last.new.lowerBound == change.new.upperBound
        {
            changes[changes.count - 1] = Change(
                old: change.old.lowerBound..<last.old.upperBound, new: change.new.lowerBound..<last.new.upperBound)
        } else {
            changes.append(change)
        }
    }
}
