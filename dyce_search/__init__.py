from dyce_search.costs import ExitCosts
from dyce_search.records import ExitRecords, load_records, load_example
from dyce_search.config import ExitConfig
from dyce_search.evaluate import evaluate, evaluate_many
